"""What must go on, goes on: large transfers, origins that are slow, away or dead, streams that are
quiet, peers that are slow. Each of these once waited for ever, or was cut although it lived."""

import os
import socket
import ssl
import subprocess
import threading
import time

import certificates
from h2 import (END_HEADERS, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, SETTINGS,
                H2Client, H2Origin, PREFACE, block, frame, request)
from harness import (SECONDS, Nginx, Origin, Peer, Port, Test, always, answer, ask, connect, get,
                     is_sanitized, main, proxy, wait_until)

LARGE = (64 if is_sanitized() else 192) << 20  # more than the windows of curl and nghttp2


def cpu_seconds(pid):
    """Processor time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class LivenessTest(Test):
    def pair(self, name="a.example"):
        authority = certificates.Authority(self.directory(), "ca")
        return authority.issue("site", [name, "localhost"])

    def listener(self, pair, port, more=""):
        return f'{port} cert-path="{pair.chain}" key-path="{pair.key}" {more}'

    def faults(self, river):
        return river.status()["worker"]["faults"]


class Large(LivenessTest):
    """Gigabytes by curl, in the pairings of versions and TLS."""

    def fetch(self, url, count=1, *arguments):
        """Each of `count` parallel downloads must bring all bytes."""
        command = ["curl", "-sSk", "--max-time", "50", "-o", os.devnull,
                   "-w", "%{http_version} %{size_download}", *arguments, url]
        curls = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                 for _ in range(count)]
        return [curl.communicate()[0] for curl in curls]

    def large_file(self, directory):
        with open(os.path.join(directory, "large"), "wb") as file:
            file.truncate(LARGE)

    def test_downloads_over_http_2_come_to_their_end(self):
        pair = self.pair()
        nginx = self.own(Nginx(""))
        self.large_file(os.path.join(nginx.directory, "root"))
        port, files = self.port(), self.port()
        self.river(proxy(self.listener(pair, port), nginx) +
                   f'files {{ listeners {{ "{files}" cert-path="{pair.chain}" '
                   f'key-path="{pair.key}"; }}; file-server '
                   f'{{ base-path "{nginx.directory}/root"; }}; }}')
        for place in (port, files):
            for got in self.fetch(f"https://{place}/large", 2, "--http2"):
                self.assertEqual(got, f"2 {LARGE}")

    def test_an_origin_that_speaks_http_2_over_tls_is_not_cut(self):
        """River's own buffers fill up while the client is slower than the origin."""
        pair = self.pair()
        at = self.port()
        nginx = self.own(Nginx("", f"server {{ listen {at} ssl http2; root root; "
                               f"ssl_certificate {pair.chain}; ssl_certificate_key {pair.key}; }}"))
        self.large_file(os.path.join(nginx.directory, "root"))
        port, plain = self.port(), self.port()
        self.river(proxy([self.listener(pair, port), plain],
                         f'{at} tls-sni="localhost" verify=#false'))
        for got in (self.fetch(f"https://{port}/large", 3, "--http2") +
                    self.fetch(f"http://{plain}/large", 2, "--limit-rate", "40M")):
            self.assertEqual(got.split()[1], str(LARGE))

    def test_uploads_in_records_of_any_size_arrive(self):
        """Large and tiny records in turn; the origin is slower than the client."""
        pair = self.pair()

        def slow(peer):
            while True:
                left = int(peer.head().get("content-length"))
                while left:
                    left -= len(peer.exactly(min(left, 300000)))
                    time.sleep(0.003)
                peer.send(answer("read"))

        port = self.port()
        river = self.river(proxy(self.listener(pair, port), self.origin(slow)))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(8):
            raw = socket.create_connection(port.address, SECONDS)
            peer = self.own(Peer(context.wrap_socket(raw, server_hostname="a.example")))
            rounds = 1000
            peer.send(get("/", f"Content-Length: {rounds * (16384 + 9)}", method="POST"))
            for _ in range(rounds):
                peer.send(bytes(16384))
                peer.send(bytes(9))
            self.assertEqual(peer.response().body, b"read")
        self.assertEqual(self.faults(river), {})


class Origins(LivenessTest):
    def test_a_retry_on_a_connection_that_takes_its_time_does_not_spin(self):
        """The kept connection turns out to be closed; the fresh one needs a slow handshake."""
        pair = self.pair()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.chain, pair.key)

        def script(peer):
            if origin.connections > 1:
                time.sleep(0.4)
            secure = Peer(context.wrap_socket(peer.socket, server_side=True))
            secure.request()
            secure.send(answer("first" if origin.connections == 1 else "again"))
            secure.request()  # and closes without an answer
            secure.close()

        origin = self.own(Origin(script))
        port = self.port()
        river = self.river(proxy(port, f'{origin} tls-sni="localhost" verify=#false'), threads=1)
        client = self.connect(port)
        self.assertEqual(client.ask(get()).body, b"first")
        worker = river.status()["worker_pid"]
        before = cpu_seconds(worker)
        self.assertEqual(client.ask(get()).body, b"again")
        self.assertLess(cpu_seconds(worker) - before, 0.2)

    def test_an_origin_comes_back_after_a_long_outage(self):
        port, away = self.port(), self.port()
        river = self.river(proxy(port, f"{away} connection-timeout-ms=500"))
        asked = 23000  # three tries each were more than the queue held
        load = subprocess.run(["h2load", "--h1", "-n", str(asked), "-c", "20",
                               f"http://{port}/"], capture_output=True, text=True, check=True,
                              timeout=100)
        self.assertIn("5xx", load.stdout)
        self.own(Origin(always(answer("back")), away))
        wait_until(lambda: ask(port, "/").body == b"back", "the origin serves again", 15)
        self.assertEqual(river.status()["worker"]["upstreams"][0]["waiting"], 0)

    def test_slow_readers_do_not_stop_an_origin_for_others(self):
        nginx_port = self.port()
        nginx = self.own(Nginx("", f"server {{ listen {nginx_port} http2; root root; }}"))
        nginx.write("large", bytes(16 << 20))
        nginx.write("small", b"small")
        port = self.port()
        self.river(proxy(port, f'{nginx_port} proto="h2-only"'), threads=1)
        slow = []
        for _ in range(24):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(SECONDS)
            client.connect(port.address)
            slow.append(self.own(Peer(client)))
            slow[-1].send(get("/large"))
        time.sleep(0.5)
        for _ in range(10):
            self.assertEqual(ask(port, "/small").body, b"small")

    def test_a_dead_connection_to_an_origin_does_not_take_every_request(self):
        """It hangs without FIN or RST; new connections would work."""
        hung = threading.Event()

        def serve(connection, stream):
            if connection is origin.sessions[0] and hung.is_set():
                gone.wait(60)
                return
            connection.respond(stream, 200, b"alive")

        gone = threading.Event()
        self.addCleanup(gone.set)
        origin = self.own(H2Origin(serve))
        port = self.port()
        self.river(proxy(port, f'{origin} proto="h2-only" read-timeout-ms=600'), threads=1)
        self.assertEqual(ask(port, "/").body, b"alive")
        hung.set()
        statuses = [ask(port, "/", method="POST").status for _ in range(6)]
        self.assertEqual(statuses, [504] + 5 * [200])

    def test_a_connection_that_answers_again_is_used_again(self):
        """A stream may be slow for reasons of its own."""
        def serve(connection, stream):
            if stream.get(":path") != "/never":
                connection.respond(stream, 200, b"alive")

        origin = self.own(H2Origin(serve))
        port = self.port()
        self.river(proxy(port, f'{origin} proto="h2-only" read-timeout-ms=400'), threads=1)
        self.assertEqual(ask(port, "/never").status, 504)
        for _ in range(3):
            self.assertEqual(ask(port, "/").body, b"alive")
        self.assertLessEqual(len(origin.sessions), 2)

    def test_fewer_connections_than_threads_serve_every_thread(self):
        origin = self.own(H2Origin(lambda c, s: c.respond(s, 200, b"x")))
        port = self.port()
        self.river(proxy(port, f'{origin} proto="h2-only" max-connections=1'), threads=4)
        clients = [self.connect(port) for _ in range(8)]
        for _ in range(3):
            for client in clients:
                self.assertEqual(client.ask(get()).status, 200)

    def test_a_long_stream_does_not_lock_everybody_out_at_the_limit(self):
        """A sibling asks for the connection: it leaves with the stream, and another is dialled."""
        origin = self.own(H2Origin(self.events))
        port = self.port()
        self.river(proxy(port, f'{origin} proto="h2-only" max-connections=1'), threads=2)
        self.events_begin(port)
        clients = [self.connect(port) for _ in range(6)]
        for _ in range(3):
            statuses = [client.ask(get()).status for client in clients]
            self.assertEqual(statuses, 6 * [200])

    def test_a_goodbye_frees_the_place_though_a_stream_lasts(self):
        """The origin says GOAWAY, as before a restart or after a thousand requests."""
        origin = self.own(H2Origin(self.events))
        port = self.port()
        self.river(proxy(port, f'{origin} proto="h2-only" max-connections=2 '
                         "total-connection-timeout-ms=1000"), threads=1)
        lasting = []
        for goodbyes in range(4):
            self.assertEqual(ask(port, "/").body, b"x", goodbyes)
            if goodbyes < 3:
                lasting.append(self.events_begin(port))
                origin.sessions[-1].leave(2**31 - 1)
                time.sleep(0.1)
        for i, session in enumerate(origin.sessions[:3]): # they go on
            stream = next(s for s in session.streams.values() if s.get(":path") == "/events")
            session.data(stream.number, b"data: %d\n\n" % i)
            self.assertIn(b"data: %d" % i, lasting[i].until(b"\n\n"))

    def test_an_older_connection_serves_again_when_the_younger_one_has_gone(self):
        """The first was full when the second was dialled."""
        origin = self.own(H2Origin(self.events, {MAX_CONCURRENT_STREAMS: 2}))
        port = self.port()
        self.river(proxy(port, f'{origin} proto="h2-only"'), threads=1)
        for _ in range(3): # the third by a second connection
            self.events_begin(port)
        first = origin.sessions[0]
        first.data(list(first.streams)[-1], end=True) # it has a free stream again
        time.sleep(0.1)
        origin.sessions[1].leave(2**31 - 1)
        time.sleep(0.1)
        self.assertEqual(ask(port, "/").body, b"x")
        self.assertEqual(len(origin.sessions), 2)

    def events(self, connection, stream):
        if stream.get(":path") == "/events":
            connection.headers(stream.number, [(":status", "200"),
                                               ("content-type", "text/event-stream")])
        else:
            connection.respond(stream, 200, b"x")

    def events_begin(self, port):
        client = self.connect(port)
        client.send(get("/events"))
        self.assertEqual(client.head().status, 200)
        return client

    def test_a_request_body_that_is_cut_at_once_is_noticed_at_once(self):
        ended = []

        def script(peer):
            peer.head()
            peer.rest()
            ended.append(time.monotonic())

        pair = self.pair()
        port, secure = self.port(), self.port()
        river = self.river(proxy([port, self.listener(pair, secure)], self.origin(script)))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        head = get("/", "Content-Length: 100", method="POST") + b"abc"
        for i in range(10):
            start = time.monotonic()
            if i % 2:
                peer = connect(port)
                peer.send(head)
                peer.finish()
            else:
                raw = socket.create_connection(secure.address, SECONDS)
                peer = Peer(context.wrap_socket(raw, server_hostname="a.example"))
                peer.send(head)
                self.finish(peer.socket, i % 4 == 0)
            wait_until(lambda i=i: len(ended) > i, "the origin's connection ends", 5)
            self.assertLess(ended[i] - start, 2)
            peer.close()
        wait_until(lambda: self.faults(river).get("request-body-cut", 0) +
                   self.faults(river).get("client-gone", 0) == 10, "faults are counted")


    def finish(self, secure, notify):
        """By close_notify alone, or by the end of the connection alone."""
        if not notify:
            socket.socket.shutdown(secure, socket.SHUT_WR)
            return
        secure.settimeout(0)
        try:
            secure.unwrap()  # does not wait for River's own
        except (ssl.SSLWantReadError, ssl.SSLError):
            pass


class Quiet(LivenessTest):
    """Streams on which nothing is said for longer than any deadline for reading."""

    LIMITS = "overload { read-timeout-ms 300; head-timeout-ms 300; min-receive-rate-bytes 1000; }"

    def test_a_conversation_may_pause_on_both_sides(self):
        release = threading.Event()

        def serve(connection, stream):
            connection.headers(stream.number, [(":status", "200")])
            threading.Thread(target=later, args=(connection, stream), daemon=True).start()

        def later(connection, stream):
            release.wait(SECONDS)
            connection.data(stream.number, b"later")

        origin = self.own(H2Origin(serve, early=True))
        port = self.port()
        river = self.river(proxy(f"{port} h2c=#true",
                                 f'{origin} proto="h2-only" read-timeout-ms=300', self.LIMITS),
                           threads=1)
        client = self.own(H2Client(connect(port)))
        stream = client.begin(request("/", method="POST"))
        client.data(stream.number, b"hello")
        client.until(lambda: stream.heads, "the head")
        time.sleep(1.5)
        release.set()
        client.until(lambda: stream.body == b"later", "what was said after the pause")
        client.data(stream.number, b"bye", end=True)
        self.assertEqual(self.faults(river), {})

    def test_grpc_may_wait_for_its_first_answer(self):
        def serve(connection, stream):
            threading.Thread(target=later, args=(connection, stream), daemon=True).start()

        def later(connection, stream):
            time.sleep(1.5)
            connection.respond(stream, 200, b"late", [("content-type", "application/grpc")])

        origin = self.own(H2Origin(serve, early=True))
        port = self.port()
        river = self.river(proxy(f"{port} h2c=#true",
                                 f'{origin} proto="h2-only" read-timeout-ms=300', self.LIMITS))
        client = self.own(H2Client(connect(port)))
        stream = client.begin(request("/", ("content-type", "application/grpc+proto"),
                                      ("te", "trailers"), method="POST"))
        client.until(lambda: stream.ended, "the answer")
        self.assertEqual(stream.body, b"late")
        self.assertEqual(self.faults(river), {})

    def test_events_may_be_rare(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(3):
                time.sleep(0.7)
                peer.send("5\r\nevent\r\n")
            peer.send("0\r\n\r\n")

        port = self.port()
        self.river(proxy(port, f"{self.origin(script)} read-timeout-ms=300", self.LIMITS))
        self.assertEqual(ask(port, "/").body, 3 * b"event")

    def test_other_answers_still_have_a_deadline(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            peer.rest()

        port = self.port()
        river = self.river(proxy(port, f"{self.origin(script)} read-timeout-ms=300"))
        peer = self.connect(port)
        peer.send(get())
        peer.rest()
        wait_until(lambda: self.faults(river) == {"origin-stalled": 1}, "the fault is counted")

    def test_a_stream_that_is_idle_for_too_long_ends(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            peer.rest()

        port = self.port()
        river = self.river(proxy(port, self.origin(script), "stream-idle-timeout-ms 400"))
        peer = self.connect(port)
        start = time.monotonic()
        peer.send(get())
        peer.rest()
        self.assertLess(time.monotonic() - start, 5)
        wait_until(lambda: self.faults(river) == {"stream-idle": 1}, "the fault is counted")

    def test_bytes_do_not_excuse_an_answer_that_is_not_read(self):
        """A client that goes on sending while it takes nothing."""
        def script(peer):
            peer.head()
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
            while True:
                peer.send(chunk)

        port = self.port()
        river = self.river(proxy(port, self.origin(script),
                                 "overload { write-timeout-ms 800; min-send-rate-bytes 0; }"))
        peer = self.connect(port)
        peer.send(get("/", "Transfer-Encoding: chunked", method="POST"))

        def drip():
            try:
                peer.send("1\r\nx\r\n")
            except OSError:
                return True
            time.sleep(0.1)
            return "send-timeout" in self.faults(river)
        wait_until(drip, "the fault is counted")


class Slow(LivenessTest):
    """Peers that are slow and steady."""

    SIZE = 12 << 20
    RATE = 500_000
    SECONDS = 5  # then as fast as it goes
    LIMITS = "overload { write-timeout-ms 1000; min-send-rate-bytes 100; }"

    def slow_client(self, port):
        """A small receive buffer, so that it acknowledges in small steps."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        client.settimeout(SECONDS)
        client.connect(port.address)
        return self.own(Peer(client))

    def read_slowly(self, peer, total):
        """The bytes that came of `total`, or up to the end."""
        start, got = time.monotonic(), 0
        while got < total:
            data = peer.socket.recv(min(self.RATE // 20, total - got))
            if not data:
                break
            got += len(data)
            if time.monotonic() - start < self.SECONDS:
                time.sleep(max(0, start + got / self.RATE - time.monotonic()))
        return got

    def test_a_slow_reader_is_not_a_dead_one(self):
        """The kernel's buffers take seconds to drain to the mark at which they tell."""
        port = self.port()
        river = self.river(proxy(port, self.origin(always(answer(bytes(self.SIZE)))), self.LIMITS))
        peer = self.slow_client(port)
        peer.send(get())
        self.assertGreaterEqual(self.read_slowly(peer, self.SIZE), self.SIZE)
        self.assertEqual(self.faults(river), {})

    def test_a_slow_reader_of_http_2_is_not_a_dead_one(self):
        port = self.port()
        river = self.river(proxy(f"{port} h2c=#true",
                                 self.origin(always(answer(bytes(self.SIZE)))), self.LIMITS))
        client = H2Client(self.slow_client(port), {INITIAL_WINDOW_SIZE: (1 << 31) - 1})
        client.grant(0, (1 << 31) - 1 - 65535)
        client.start(request("/"))
        self.assertGreaterEqual(self.read_slowly(client.peer, self.SIZE), self.SIZE)
        self.assertEqual(self.faults(river), {})

    def test_an_origin_that_reads_slowly_is_not_a_dead_one(self):
        def script(peer):
            peer.until(b"\r\n\r\n")
            left = self.SIZE - len(peer.buffer)
            self.assertEqual(self.read_slowly(peer, left), left)
            peer.send(answer("read"))

        origin = self.origin(script)
        origin.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        port = self.port()
        river = self.river(proxy(port, f"{origin} write-timeout-ms=1000"))
        peer = self.connect(port)
        peer.send(get("/", f"Content-Length: {self.SIZE}", method="POST"))
        peer.send(bytes(self.SIZE))
        self.assertEqual(peer.response().body, b"read")
        self.assertEqual(self.faults(river), {})

    def test_a_pause_of_the_origin_is_not_held_against_the_client(self):
        """Its time to send more begins when the origin has taken what came before."""
        def handler(session, stream):
            if stream.get(":method") == "GET":
                session.respond(stream, 204)
                return
            time.sleep(1)
            session.grant(stream.number, 1000)

        origin = self.own(H2Origin(handler, {INITIAL_WINDOW_SIZE: 0}, early=True))
        port = self.port()
        river = self.river(proxy(port, f'{origin} proto="h2-only"',
                                 "overload { read-timeout-ms 600; min-receive-rate-bytes 0; }"))
        peer = self.connect(port)
        self.assertEqual(peer.ask(get()).status, 204)  # now the origin's window is known
        peer.send(get("/", "Content-Length: 6", method="POST") + b"abc")
        time.sleep(1.4)
        peer.send(b"def")
        wait_until(lambda: len(origin.seen[1].body) == 6, "the body has come", 3)
        origin.sessions[0].respond(origin.seen[1], 200, b"read")
        self.assertEqual(peer.response().body, b"read")
        self.assertEqual(self.faults(river), {})

    def test_a_pause_of_the_client_is_not_held_against_the_origin(self):
        """Its time to take a piece begins with that piece."""
        def handler(session, stream):
            session.respond(stream, 200, b"read")

        port = self.port()
        river = self.river(proxy(port, f'{self.own(H2Origin(handler))} proto="h2-only" '
                                       "write-timeout-ms=400"))
        peer = self.connect(port)
        peer.send(get("/", "Content-Length: 6", method="POST"))
        for piece in (b"ab", b"cd", b"ef"):
            peer.send(piece)
            time.sleep(1)
        self.assertEqual(peer.response().body, b"read")
        self.assertEqual(self.faults(river), {})

    def test_the_end_of_an_answer_has_as_long_as_it_moves(self):
        """All is there, and the request is over; the client's windows open little by little."""
        size = 60000
        port = self.port()
        self.river(proxy(f"{port} h2c=#true", self.origin(always(answer(bytes(size)))),
                         "overload { write-timeout-ms 500; drain-timeout-ms 500; "
                         "min-send-rate-bytes 0; }"))
        client = self.own(H2Client(connect(port), {INITIAL_WINDOW_SIZE: 1000}, auto_window=False))
        stream = client.start(request("/"))
        start = time.monotonic()
        while not stream.over and len(stream.body) < size:
            before = len(stream.body)
            client.until(lambda: stream.over or len(stream.body) >= min(before + 1000, size),
                         "the next bytes")
            time.sleep(0.04)
            client.grant(stream.number, 1000)
        self.assertGreater(time.monotonic() - start, 2)
        client.until(lambda: stream.over, "the end")
        self.assertIsNone(stream.reset)
        self.assertEqual(len(stream.body), size)

    def drips(self, port, data):
        """Sends byte after byte; how long the connection stays."""
        peer = self.connect(port)
        peer.send(PREFACE + data[:9])
        start = time.monotonic()
        peer.socket.settimeout(0.1)
        for byte in data[9:]:
            try:
                peer.send(bytes([byte]))
                if not peer.fill():
                    break
            except TimeoutError:
                continue
            except OSError:
                break
            if time.monotonic() - start > 8:
                break
        return time.monotonic() - start

    def test_frames_that_drip_have_the_deadline_of_a_head(self):
        port = self.port()
        river = self.river(proxy(f"{port} h2c=#true", self.origin(always(answer("x"))),
                                 "overload { head-timeout-ms 700; }"))
        hello = frame(SETTINGS, 0, 0)
        fields = block(request("/" + "x" * 100))
        for data in (frame(SETTINGS, 0, 0, bytes(120)),
                     hello + frame(HEADERS, END_HEADERS | 1, 1, fields),
                     hello + frame(HEADERS, 1, 1, fields[:1]) + frame(9, 0, 1, fields[1:])):
            self.assertLess(self.drips(port, data), 4)
        wait_until(lambda: self.faults(river).get("head-timeout") == 3, "the faults are counted")


if __name__ == "__main__":
    main()
