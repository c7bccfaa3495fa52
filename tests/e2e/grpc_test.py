"""gRPC through River: a real client and server (python3-grpcio), without TLS and with it; and
other programs that speak HTTP/2: curl, nghttp, h2load, httpx."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import time
import unittest

try:
    import grpc
except ImportError:  # the interpreter is not Debian's own
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import grpc
    except ImportError:
        grpc = None

import certificates
from harness import SECONDS, Nginx, Test, always, answer, main, proxy, wait_until

CANCELLED = []


def unary(data, context):
    for key, value in context.invocation_metadata():
        if key == "x-ask":
            context.set_trailing_metadata((("x-answer", value),))
    if data == b"wrong":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like that: ä")
    if data == b"slow":
        context.add_callback(lambda: CANCELLED.append(data))
        time.sleep(1.5)
    return data[::-1]


def server_stream(data, _context):
    for i in range(int(data)):
        yield b"%d" % i * 1000


def client_stream(stream, _context):
    return b"%d" % sum(len(data) for data in stream)


def both(stream, _context):
    for data in stream:
        yield data[::-1]


HANDLERS = {"Unary": ("unary_unary", unary), "Down": ("unary_stream", server_stream),
            "Up": ("stream_unary", client_stream), "Both": ("stream_stream", both)}


class Server:
    def __init__(self, pair=None):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Test", {
            name: getattr(grpc, kind + "_rpc_method_handler")(call)
            for name, (kind, call) in HANDLERS.items()}),))
        if pair:
            with open(pair.key, "rb") as key, open(pair.chain, "rb") as chain:
                secret = grpc.ssl_server_credentials([(key.read(), chain.read())])
            self.port = self.server.add_secure_port("127.0.0.1:0", secret)
        else:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(0).wait(SECONDS)


@unittest.skipIf(grpc is None, "python3-grpcio is not here")
class Calls:
    secure = False

    def setUp(self):
        port = self.port()
        if not self.secure:
            server = self.own(Server())
            self.river(proxy(f"{port} h2c=true", f'127.0.0.1:{server.port} proto="h2-only"'))
            self.channel = self.own(grpc.insecure_channel(str(port)))
            return
        place = self.directory()
        authority = certificates.Authority(place, "ca")
        site = authority.issue("site", ["a.example"])
        server = self.own(Server(site))
        self.river(proxy(
            f'{port} cert-path="{site.chain}" key-path="{site.key}"',
            f'127.0.0.1:{server.port} tls-sni="a.example" proto="h2-only" '
            f'ca-path="{authority.pem}"'))
        with open(authority.pem, "rb") as file:
            trust = grpc.ssl_channel_credentials(file.read())
        self.channel = self.own(grpc.secure_channel(
            str(port), trust, (("grpc.ssl_target_name_override", "a.example"),)))

    def call(self, name):
        return getattr(self.channel, HANDLERS[name][0])(f"/t.Test/{name}")

    def test_unary(self):
        call = self.call("Unary")
        for size in (0, 1, 1000, 1_000_000):
            data = os.urandom(size)
            self.assertTrue(call(data, timeout=SECONDS) == data[::-1], size)

    def test_metadata_in_trailers(self):
        _, done = self.call("Unary").with_call(b"x", timeout=SECONDS, metadata=(("x-ask", "42"),))
        self.assertIn(("x-answer", "42"), [tuple(pair) for pair in done.trailing_metadata()])

    def test_a_status_in_trailers(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.call("Unary")(b"wrong", timeout=SECONDS)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(caught.exception.details(), "not like that: ä")

    def test_an_unknown_method(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.channel.unary_unary("/t.Test/Nothing")(b"", timeout=SECONDS)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_a_server_streams(self):
        got = list(self.call("Down")(b"500", timeout=SECONDS))
        self.assertEqual(got, [b"%d" % i * 1000 for i in range(500)])

    def test_a_client_streams(self):
        pieces = [b"x" * 5000] * 400
        self.assertEqual(self.call("Up")(iter(pieces), timeout=SECONDS), b"2000000")

    def test_both_stream(self):
        asked = []
        def ask():
            for i in range(200):
                asked.append(i)
                yield b"<%d>" % i
        got = []
        for data in self.call("Both")(ask(), timeout=SECONDS):
            got.append(data)
        self.assertEqual(got, [(b"<%d>" % i)[::-1] for i in range(200)])

    def test_a_deadline(self):
        start = time.monotonic()
        with self.assertRaises(grpc.RpcError) as caught:
            self.call("Unary")(b"slow", timeout=0.3)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertLess(time.monotonic() - start, 1.4)
        self.assertEqual(self.call("Unary")(b"ab", timeout=SECONDS), b"ba")

    def test_a_cancelled_call_is_cancelled_at_the_server(self):
        del CANCELLED[:]
        call = self.call("Unary").future(b"slow", timeout=SECONDS)
        time.sleep(0.3)
        call.cancel()
        wait_until(lambda: CANCELLED, "the server hears of it", 1.1)  # before it ends by itself

    def test_many_at_once(self):
        call = self.call("Unary")
        waiting = [call.future(b"%d" % i, timeout=SECONDS) for i in range(200)]
        self.assertEqual([w.result() for w in waiting], [(b"%d" % i)[::-1] for i in range(200)])


class Plain(Calls, Test):
    pass


class Secure(Calls, Test):
    secure = True


class Programs(Test):
    """Clients of other makers."""

    def setUp(self):
        self.listen, self.sealed = self.port(), self.port()
        self.authority = certificates.Authority(self.directory(), "ca")
        site = self.authority.issue("site", ["a.example"])
        nginx = self.own(Nginx("location / { keepalive_requests 1000000; }"))
        self.data = os.urandom(300_000)
        nginx.write("file", self.data)
        nginx.write("small", b"small")
        self.river(proxy([f"{self.listen} h2c=true",
                          f'{self.sealed} cert-path="{site.chain}" key-path="{site.key}"'],
                         str(nginx)))
        self.origin_ = nginx

    def tool(self, name, *arguments, text=True):
        if not shutil.which(name):
            self.skipTest(f"{name} is not here")
        done = subprocess.run([name, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=text, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_curl(self):
        name = ("--resolve", f"a.example:{self.sealed.number}:127.0.0.1")
        for arguments in (("--http2-prior-knowledge", f"http://{self.listen}/file"),
                          ("--http2", "--cacert", self.authority.pem, *name,
                           f"https://a.example:{self.sealed.number}/file")):
            out = self.tool("curl", "-sS", "-w", "%{http_version}", *arguments, text=False)
            self.assertTrue(out == self.data + b"2", out[-20:])

    def test_nghttp(self):
        out = self.tool("nghttp", "-v", "-n", f"http://{self.listen}/small")
        self.assertIn(":status: 200", out)

    def test_h2load(self):
        for url in (f"http://{self.listen}/small", f"https://{self.sealed}/small"):
            out = self.tool("h2load", "-n", "10000", "-c", "10", "-m", "20", "-H",
                            ":authority: a.example", url)
            self.assertIn("10000 succeeded, 0 failed, 0 errored, 0 timeout", out)
            self.assertIn("status codes: 10000 2xx", out)

    def test_httpx(self):
        code = ("import sys; sys.path.append('/usr/lib/python3/dist-packages'); import httpx"
                "; c = httpx.Client(http1=False, http2=True); r = c.get(sys.argv[1]);"
                "print(r.status_code, r.http_version, len(r.content))")
        try:
            self.tool(sys.executable, "-P", "-c", code.split("; c = ")[0])
        except AssertionError:
            self.skipTest("python3-httpx is not here")
        out = self.tool(sys.executable, "-P", "-c", code, f"http://{self.listen}/file")
        self.assertEqual(out.split(), ["200", "HTTP/2", "300000"])

    def test_an_answer_of_a_scripted_origin(self):
        port = self.port()
        self.river(proxy(f"{port} h2c=true", str(self.origin(always(answer("scripted"))))))
        self.assertEqual(self.tool("curl", "-sS", "--http2-prior-knowledge", f"http://{port}/"),
                         "scripted")


if __name__ == "__main__":
    main()
