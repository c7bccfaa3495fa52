"""gRPC's interoperability suite: grpc-go's own client and server with River between them, without
TLS, with TLS towards the client, and with TLS on both sides. The cases are all that pass without a
proxy."""

import os
import subprocess

import certificates
from go_program import go_programs
from harness import Test, connect, main, proxy, wait_until

VERSION = "v1.76.0"
MODULES = [f"google.golang.org/grpc/interop/{name}@{VERSION}" for name in ("client", "server")]
CASES = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong",
         "empty_stream", "timeout_on_sleeping_server", "cancel_after_begin",
         "cancel_after_first_response", "status_code_and_message", "special_status_message",
         "custom_metadata", "unimplemented_method", "unimplemented_service"]
CASE_SECONDS_MAX = 20


class Server:
    """The suite's server. It listens on all addresses: it has no option for one."""

    def __init__(self, program, port, pair=None):
        self.port = port
        sealed = ["-use_tls", "-tls_cert_file", pair.chain, "-tls_key_file",
                  pair.key] if pair else []
        self.process = subprocess.Popen(
            [program, "-port", str(port.number), *sealed],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_up, "the server starts")

    def is_up(self):
        try:
            connect(self.port).close()
            return True
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait(CASE_SECONDS_MAX)


class Suite(Test):
    def setUp(self):
        self.client, self.server = go_programs(f"grpc-interop-{VERSION}", *MODULES)
        self.authority = certificates.Authority(self.directory(), "ca")
        self.site = self.authority.issue("site", ["a.example"])

    def run_cases(self, port, *options):
        failed = {}
        for case in CASES:
            try:
                done = subprocess.run(
                    [self.client, "-server_host", "127.0.0.1", "-server_port", str(port.number),
                     "-test_case", case, *options], stdin=subprocess.DEVNULL, text=True,
                    capture_output=True, timeout=CASE_SECONDS_MAX, check=False,
                    env={**os.environ, "no_proxy": "*"})
                if done.returncode != 0:
                    failed[case] = done.stderr[-500:]
            except subprocess.TimeoutExpired:
                failed[case] = "took too long"
        self.assertEqual(failed, {})

    def sealed(self):
        return ("-use_tls", "-use_test_ca", "-ca_file", self.authority.pem,
                "-server_host_override", "a.example")

    def listener(self, port, tls):
        return (f'{port} cert-path="{self.site.chain}" key-path="{self.site.key}"' if tls
                else f"{port} h2c=true")

    def through_river(self, client_tls, origin_tls):
        server, port = self.port(), self.port()
        self.own(Server(self.server, server, self.site if origin_tls else None))
        trust = f' tls-sni="a.example" ca-path="{self.authority.pem}"' if origin_tls else ""
        self.river(proxy(self.listener(port, client_tls), f'{server} proto="h2-only"{trust}'))
        self.run_cases(port, *(self.sealed() if client_tls else ()))

    def test_without_tls(self):
        self.through_river(False, False)

    def test_tls_towards_the_client(self):
        self.through_river(True, False)

    def test_tls_on_both_sides(self):
        self.through_river(True, True)


if __name__ == "__main__":
    main()
