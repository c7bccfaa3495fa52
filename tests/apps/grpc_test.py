"""gRPC of all four kinds by Google's library, without TLS and with it."""

import os
import sys
import threading

from apps import AppTest, main, use

use("grpc")

SERVER = """
import sys
from concurrent import futures
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

health_servicer = health.HealthServicer()

def sum_up(pieces, context):
    return str(sum(len(piece) for piece in pieces)).encode()

def count(request, context):
    for number in range(int(request)):
        yield b"%d" % number

def chat(pieces, context):
    for piece in pieces:
        yield piece.upper()

def turn(request, context):
    name = request.decode()
    state = health_pb2.HealthCheckResponse.SERVING
    if name == "off":
        state = health_pb2.HealthCheckResponse.NOT_SERVING
    health_servicer.set("tea", state)
    context.set_trailing_metadata((("turned", name), ("raw-bin", b"\\x00\\xff")))
    return dict(context.invocation_metadata()).get("asked", "").encode()

def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no caf\\u00e9 here")

def sleep(request, context):
    import time
    while context.is_active():
        time.sleep(0.01)
    print("the call was cancelled", flush=True)
    return b""

methods = {"Sum": grpc.stream_unary_rpc_method_handler(sum_up),
           "Count": grpc.unary_stream_rpc_method_handler(count),
           "Chat": grpc.stream_stream_rpc_method_handler(chat),
           "Turn": grpc.unary_unary_rpc_method_handler(turn),
           "Fail": grpc.unary_unary_rpc_method_handler(fail),
           "Sleep": grpc.unary_unary_rpc_method_handler(sleep)}
server = grpc.server(futures.ThreadPoolExecutor(16))
health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tea.Pot", methods),))
health_servicer.set("tea", health_pb2.HealthCheckResponse.SERVING)
assert server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
"""
SITE = """
grpc {{
    listeners {{
        "{listen}" {listener}
    }}
    connectors {{
        "{origin}" proto="h2-only"
    }}
}}
"""
CALL_SECONDS_MAX = 30


class Grpc(AppTest):
    app = "gRPC (grpcio)"
    program = "grpc"

    @classmethod
    def version(cls):
        from apps import version
        return version("grpcio")

    def setUp(self):
        super().setUp()
        directory = self.directory()
        with open(os.path.join(directory, "server.py"), "w", encoding="utf-8") as file:
            file.write(SERVER)
        self.service = self.port()
        self.program_started = self.start(sys.executable, "server.py", self.service,
                                          at=self.service, directory=directory)

    def channel(self, tls):
        port = self.port()
        listener, shown = "h2c=true", 'h2c=true, proto="h2-only"'
        if tls:
            authority, pair = self.certificate(self.directory())
            listener = f'cert-path="{pair.chain}" key-path="{pair.key}"'
            shown = 'cert-path=…, proto="h2-only"'
        self.river_file(SITE.format(listen=port, listener=listener, origin=self.service), shown)
        import grpc
        if not tls:
            return self.own(grpc.insecure_channel(str(port)))
        with open(authority, "rb") as file:
            trust = grpc.ssl_channel_credentials(file.read())
        return self.own(grpc.secure_channel(f"localhost:{port.number}", trust))

    def work(self, channel):
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc
        health = health_pb2_grpc.HealthStub(channel)
        ask = health_pb2.HealthCheckRequest(service="tea")
        self.assertEqual(health.Check(ask, timeout=CALL_SECONDS_MAX).status, 1)
        watch = health.Watch(ask, timeout=CALL_SECONDS_MAX)
        self.assertEqual(next(watch).status, 1)
        answer, call = channel.unary_unary("/tea.Pot/Turn").with_call(
            b"off", timeout=CALL_SECONDS_MAX, metadata=(("asked", "politely"),))
        self.assertEqual(answer, b"politely")
        self.assertIn(("turned", "off"), call.trailing_metadata())
        self.assertIn(("raw-bin", b"\x00\xff"), call.trailing_metadata())
        self.assertEqual(next(watch).status, 2)  # a stream that waited
        watch.cancel()
        total = channel.stream_unary("/tea.Pot/Sum")(
            (b"x" * 100000 for _ in range(100)), timeout=CALL_SECONDS_MAX)
        self.assertEqual(total, b"10000000")
        counted = channel.unary_stream("/tea.Pot/Count")(b"5000", timeout=CALL_SECONDS_MAX)
        self.assertEqual(list(counted), [b"%d" % n for n in range(5000)])
        self.chat(channel)
        with self.assertRaises(grpc.RpcError) as caught:
            channel.unary_unary("/tea.Pot/Fail")(b"", timeout=CALL_SECONDS_MAX)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(caught.exception.details(), "no caf\u00e9 here")
        with self.assertRaises(grpc.RpcError) as caught:
            channel.unary_unary("/tea.Pot/Sleep")(b"", timeout=0.5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        from harness import wait_until
        wait_until(lambda: "cancelled" in self.program_started.output(), "the server was told")

    def chat(self, channel):
        """Each message waits for the answer to the one before."""
        turn, said = threading.Semaphore(1), []

        def speak():
            for number in range(200):
                turn.acquire()
                yield b"word %d" % number
        for word in channel.stream_stream("/tea.Pot/Chat")(speak(), timeout=CALL_SECONDS_MAX):
            said.append(word)
            turn.release()
        self.assertEqual(said, [b"WORD %d" % n for n in range(200)])

    def test_without_tls(self):
        """unary, both streams, a dialogue, metadata and trailers, a status with a message, a
        deadline, health watch"""
        self.work(self.channel(tls=False))

    def test_with_tls(self):
        """the same with TLS, and 50 calls at once on one connection"""
        channel = self.channel(tls=True)
        self.work(channel)
        calls = [channel.unary_stream("/tea.Pot/Count")(b"200", timeout=CALL_SECONDS_MAX)
                 for _ in range(50)]
        self.assertEqual([len(list(call)) for call in calls], [200] * 50)

    def test_by_default(self):
        """`river proxy` speaks no HTTP/2 without TLS, nor to the origin: UNAVAILABLE both times"""
        import grpc
        port = self.river_proxy(self.service)
        self.refused(grpc.insecure_channel(str(port)), "HTTP/2")
        port = self.river_proxy(self.service, tls=True)
        with open(self.authority, "rb") as file:
            trust = grpc.ssl_channel_credentials(file.read())
        self.refused(grpc.secure_channel(f"localhost:{port.number}", trust), "502")

    def refused(self, channel, word):
        import grpc
        with self.own(channel), self.assertRaises(grpc.RpcError) as caught:
            channel.unary_unary("/tea.Pot/Turn")(b"off", timeout=CALL_SECONDS_MAX)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn(word, caught.exception.details())


if __name__ == "__main__":
    main()
