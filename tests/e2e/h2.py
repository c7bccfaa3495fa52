"""An HTTP/2 peer of which every frame is decided by the test, in either role.

    client = H2Client(connect(port))
    stream = client.fetch(request("/path"))             # one request, waits for its end
    first, second = client.start(request("/1")), client.start(request("/2"), b"body")
    client.wait(second)

    self.own(H2Origin(lambda c, s: c.respond(s, 200, b"hello")))   # called when a request is whole

Fields are sent as literals without indexing, so that anything at all can be sent. What comes is
decoded by hpack (Debian's python3-hpack)."""

import collections
import ssl
import struct
import sys
import time

try:
    import hpack
except ImportError:  # the interpreter is not Debian's own
    sys.path.append("/usr/lib/python3/dist-packages")
    import hpack

from harness import SECONDS, Origin, Peer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED,
 FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR,
 ENHANCE_YOUR_CALM) = range(12)
(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
 MAX_HEADER_LIST_SIZE) = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
WINDOW = 65535

Frame = collections.namedtuple("Frame", "type flags stream payload")


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def integer(value, bits, first=0):
    """An HPACK integer (RFC 7541 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out = bytearray([first | most])
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def literal(name, value, first=0x00):
    """A field as it stands; `first` 0x40 puts it into the table."""
    name, value = to_bytes(name), to_bytes(value)
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


def frame(kind, flags, stream, payload=b""):
    return (struct.pack(">I", len(payload))[1:] +
            struct.pack(">BBI", kind, flags, stream & 0xffffffff) + payload)


def settings(values):
    return b"".join(struct.pack(">HI", name, value) for name, value in values.items())


def request(path="/", *fields, method="GET", authority="a.example", scheme="http"):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path),
            *fields]


class Stream:
    """What came on one stream."""

    def __init__(self, number):
        self.number = number
        self.heads = []  # lists of fields: interim ones, the final one
        self.trailers = []
        self.body = b""
        self.ended = False
        self.reset = None  # the code
        self.window = 0  # that the peer gives us
        self.frames = []  # types of frames, in order

    @property
    def over(self):
        return self.ended or self.reset is not None

    @property
    def fields(self):
        return self.heads[-1] if self.heads else []

    @property
    def status(self):
        return int(self.get(":status") or 0)

    def all(self, name):
        return [v for n, v in self.fields if n == name]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None


class H2Peer:
    """One side of a connection. Answers SETTINGS and PING, opens windows (unless `auto_window` is
    off), and records the rest."""

    def __init__(self, peer, client, initial=None, auto_window=True):
        self.peer = peer
        self.client = client
        self.auto_window = auto_window
        self.decoder = hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 24
        self.decoder.max_allowed_table_size = 4096
        self.streams = {}
        self.window = WINDOW
        self.their_initial = WINDOW
        self.their_settings = None
        self.goaway = None  # (last stream, code)
        self.closed = False
        self.pongs = 0
        self.fresh = collections.deque()  # requests that are whole (of an origin)
        self.begun = collections.deque()  # requests whose head is there
        self.next_stream = 1
        self.pending = None  # a header block that goes on: (stream, flags, bytes)
        hello = frame(SETTINGS, 0, 0, settings(initial or {}))
        if client:
            peer.send(PREFACE + hello)
        else:
            assert peer.exactly(len(PREFACE)) == PREFACE
            peer.send(hello)

    # -- sending

    def send(self, data):
        self.peer.send(data)

    def frame(self, kind, flags, stream, payload=b""):
        self.send(frame(kind, flags, stream, payload))

    def headers(self, stream, fields, end=False):
        """As one HEADERS frame, and CONTINUATION frames where it is long."""
        data = fields if isinstance(fields, bytes) else block(fields)
        pieces = [data[i:i + 16384] for i in range(0, len(data), 16384)] or [b""]
        out = b""
        for i, piece in enumerate(pieces):
            last = END_HEADERS if i == len(pieces) - 1 else 0
            out += frame(CONTINUATION if i else HEADERS,
                         last | (END_STREAM if end and i == 0 else 0), stream, piece)
        self.send(out)

    def data(self, stream, data=b"", end=False):
        """Without regard to windows."""
        self.frame(DATA, END_STREAM if end else 0, stream, to_bytes(data))

    def body(self, number, data, end=True):
        """As the windows allow; what comes meanwhile is recorded. False: the stream was over."""
        stream = self.stream(number)
        data = to_bytes(data)
        while data or end:
            room = min(self.window, stream.window, 16384, len(data))
            if data and room <= 0:
                if stream.reset is not None or not self.step():
                    return False
                continue
            last = end and room == len(data)
            self.data(number, data[:room], last)
            self.window -= room
            stream.window -= room
            data = data[room:]
            if last:
                break
        return True

    def reset(self, stream, code=CANCEL):
        self.frame(RST_STREAM, 0, stream, struct.pack(">I", code))

    def grant(self, stream, count):
        self.frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", count))

    def ping(self, data=b"12345678"):
        self.frame(PING, 0, 0, data)

    def leave(self, last, code=NO_ERROR):
        self.frame(GOAWAY, 0, 0, struct.pack(">II", last, code))

    # -- receiving

    def read(self):
        """The next frame; None at the end."""
        try:
            self.have(9)
            length = int.from_bytes(self.peer.buffer[:3], "big")
            self.have(9 + length)  # a wait that ends too early takes nothing
            head = self.peer.exactly(9)
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            return Frame(kind, flags, stream & 0x7fffffff, self.peer.exactly(length))
        except (EOFError, ConnectionError, ssl.SSLError):
            self.closed = True
            return None

    def have(self, count):
        while len(self.peer.buffer) < count:
            if not self.peer.fill():
                raise EOFError

    def stream(self, number):
        if number not in self.streams:
            self.streams[number] = Stream(number)
            self.streams[number].window = self.their_initial
        return self.streams[number]

    def step(self):
        """Takes one frame; False at the end of the connection."""
        got = self.read()
        if not got:
            return False
        if got.stream and got.type != WINDOW_UPDATE:
            self.stream(got.stream).frames.append(got.type)
        handlers = {DATA: self.on_data, HEADERS: self.on_headers, CONTINUATION: self.on_headers,
                    SETTINGS: self.on_settings, PING: self.on_ping,
                    WINDOW_UPDATE: self.on_window}
        if got.type in handlers:
            handlers[got.type](got)
        elif got.type == RST_STREAM:
            self.stream(got.stream).reset = struct.unpack(">I", got.payload)[0]
        elif got.type == GOAWAY:
            self.goaway = struct.unpack(">II", got.payload[:8])
        return True

    def on_settings(self, got):
        if got.flags & ACK:
            return
        values = dict(struct.iter_unpack(">HI", got.payload))
        self.their_settings = values
        if INITIAL_WINDOW_SIZE in values:
            change = values[INITIAL_WINDOW_SIZE] - self.their_initial
            self.their_initial += change
            for stream in self.streams.values():
                stream.window += change
        self.frame(SETTINGS, ACK, 0)

    def on_ping(self, got):
        if got.flags & ACK:
            self.pongs += 1
        else:
            self.frame(PING, ACK, 0, got.payload)

    def on_window(self, got):
        count = struct.unpack(">I", got.payload)[0]
        if got.stream:
            self.stream(got.stream).window += count
        else:
            self.window += count

    def on_headers(self, got):
        if got.type == HEADERS:
            self.pending = (got.stream, got.flags, b"")
        number, flags, data = self.pending
        self.pending = (number, flags, data + got.payload)
        if not got.flags & END_HEADERS:
            return
        stream = self.stream(number)
        fields = [(to_bytes(n).decode("latin-1"), to_bytes(v).decode("latin-1"))
                  for n, v in self.decoder.decode(self.pending[2], raw=True)]
        if fields and fields[0][0].startswith(":"):
            stream.heads.append(fields)
            if not self.client:
                self.begun.append(stream)
        else:
            stream.trailers = fields
        if flags & END_STREAM:
            self.on_end(stream)

    def on_data(self, got):
        stream = self.stream(got.stream)
        stream.body += got.payload
        ended = got.flags & END_STREAM
        if self.auto_window and got.payload:
            self.grant(0, len(got.payload))
            if not ended and not stream.over:
                self.grant(got.stream, len(got.payload))
        if ended:
            self.on_end(stream)

    def on_end(self, stream):
        stream.ended = True
        if not self.client:
            self.fresh.append(stream)

    # -- waiting

    def until(self, condition, what, seconds=SECONDS):
        """Takes frames until the condition holds; its value."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"waited {seconds} s in vain: {what}")
            self.peer.socket.settimeout(left)
            try:
                if not self.step():
                    value = condition()
                    if value:
                        return value
                    raise AssertionError(f"the connection ended before: {what}; {self.goaway}")
            except TimeoutError:
                raise AssertionError(f"waited {seconds} s in vain: {what}") from None
            finally:
                self.peer.socket.settimeout(SECONDS)

    def drain(self, seconds=SECONDS):
        """Takes everything up to the end of the connection; True when that came."""
        try:
            self.until(lambda: self.closed, "the end", seconds)
        except AssertionError:
            pass
        return self.closed

    def wait(self, stream, seconds=SECONDS):
        return self.until(lambda: stream if stream.over else None,
                          f"the end of stream {stream.number}", seconds)

    def close(self):
        self.peer.close()


class H2Client(H2Peer):
    def __init__(self, peer, initial=None, auto_window=True):
        super().__init__(peer, True, initial, auto_window)

    def begin(self, fields, end=False):
        """Sends a head."""
        number = self.next_stream
        self.next_stream += 2
        stream = self.stream(number)
        self.headers(number, fields, end)
        return stream

    def start(self, fields, body=None, trailers=None):
        """Sends a whole request."""
        stream = self.begin(fields, body is None and trailers is None)
        if body is not None or trailers is not None:
            self.body(stream.number, body or b"", trailers is None)
        if trailers is not None:
            self.headers(stream.number, trailers, True)
        return stream

    def fetch(self, fields, body=None, trailers=None, seconds=SECONDS):
        return self.wait(self.start(fields, body, trailers), seconds)


class H2OriginPeer(H2Peer):
    def __init__(self, peer, initial=None, auto_window=True):
        super().__init__(peer, False, initial, auto_window)

    def respond(self, stream, status=200, body=b"", fields=(), trailers=None):
        bodiless = not body and trailers is None
        self.headers(stream.number, [(":status", str(status)), *fields], bodiless)
        if not bodiless:
            self.body(stream.number, body, trailers is None)
        if trailers is not None:
            self.headers(stream.number, trailers, True)


class H2Origin(Origin):
    """An origin that speaks HTTP/2 at once: calls handler(connection, stream) for each request
    that is whole, or (`early`) as soon as its head is there."""

    def __init__(self, handler, initial=None, early=False, context=None):
        self.handler = handler
        self.initial = initial
        self.early = early
        self.context = context
        self.sessions = []
        self.seen = []  # streams, in the order of their heads
        super().__init__(self.run)

    def run(self, peer):
        if self.context:
            peer = Peer(self.context.wrap_socket(peer.socket, server_side=True))
        session = H2OriginPeer(peer, self.initial)
        self.sessions.append(session)
        peer.socket.settimeout(None)
        while session.step():
            while session.begun:
                stream = session.begun.popleft()
                self.seen.append(stream)
                if self.early:
                    self.handler(session, stream)
            while not self.early and session.fresh:
                self.handler(session, session.fresh.popleft())
