"""TLS records that hold next to nothing: one client sends them without end, and the others on its
thread are served all the while. Python's ssl cannot ask for KeyUpdate, so OpenSSL is called."""

import ctypes
import threading
import time

import certificates
from harness import Test, connect, get, main, proxy

RECORDS = 250_000  # some 6 MB: a thread that took them in one go would need most of a second
KEPT = 31  # KeyUpdates in a row that rustls takes before there must be some data
KEY_UPDATE_NOT_REQUESTED = 0
WANT_READ = 2


class OpenSsl:
    """A TLS 1.3 client that makes ciphertext: what it says is taken from memory."""

    def __init__(self, peer):
        self.peer = peer
        self.lib = ctypes.CDLL("libssl.so.3")
        self.crypto = ctypes.CDLL("libcrypto.so.3")
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        for name in ("BIO_s_mem", "BIO_new"):
            getattr(self.crypto, name).restype = ctypes.c_void_p
        pointer = ctypes.c_void_p
        self.lib.SSL_CTX_new.argtypes = self.lib.SSL_new.argtypes = [pointer]
        self.lib.SSL_CTX_free.argtypes = self.lib.SSL_free.argtypes = [pointer]
        self.lib.SSL_CTX_set_ciphersuites.argtypes = [pointer, ctypes.c_char_p]
        self.lib.SSL_set_bio.argtypes = [pointer, pointer, pointer]
        self.lib.SSL_connect.argtypes = self.lib.SSL_do_handshake.argtypes = [pointer]
        self.lib.SSL_get_error.argtypes = self.lib.SSL_key_update.argtypes = [pointer, ctypes.c_int]
        self.lib.SSL_write.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int]
        self.crypto.BIO_new.argtypes = [pointer]
        self.crypto.BIO_read.argtypes = [pointer, pointer, ctypes.c_int]
        self.crypto.BIO_write.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int]
        self.context = self.lib.SSL_CTX_new(self.lib.TLS_client_method())
        # The suite whose new keys cost most.
        assert self.lib.SSL_CTX_set_ciphersuites(self.context, b"TLS_AES_256_GCM_SHA384") == 1
        self.tls = self.lib.SSL_new(self.context)
        self.arrived, self.leaving = (self.crypto.BIO_new(self.crypto.BIO_s_mem()) for _ in "io")
        self.lib.SSL_set_bio(self.tls, self.arrived, self.leaving)
        self.room = ctypes.create_string_buffer(1 << 16)
        self.shake()

    def shake(self):
        while (done := self.lib.SSL_connect(self.tls)) != 1:
            assert self.lib.SSL_get_error(self.tls, done) == WANT_READ
            self.peer.send(self.taken())
            data = self.peer.socket.recv(65536)
            assert data, "the handshake ended early"
            self.crypto.BIO_write(self.arrived, data, len(data))
        self.peer.send(self.taken())

    def taken(self):
        """Ciphertext that was made and waits."""
        out = bytearray()
        while (n := self.crypto.BIO_read(self.leaving, self.room, len(self.room))) > 0:
            out += self.room[:n]
        return bytes(out)

    def write(self, data):
        assert self.lib.SSL_write(self.tls, data, len(data)) == len(data)

    def key_updates(self, count):
        """Records without data, but for a byte now and then."""
        out = bytearray()
        for i in range(count):
            assert self.lib.SSL_key_update(self.tls, KEY_UPDATE_NOT_REQUESTED) == 1
            assert self.lib.SSL_do_handshake(self.tls) == 1
            if i % KEPT == KEPT - 1:
                self.write(b"x")
            if i % 1000 == 999:
                out += self.taken()
        return bytes(out + self.taken())

    def close(self):
        self.lib.SSL_free(self.tls)
        self.lib.SSL_CTX_free(self.context)


class KeyUpdates(Test):
    def serve_both(self):
        """An upload over TLS, and a service beside it on the same thread."""
        pair = certificates.Authority(self.directory(), "ca").issue("site", ["a.example"])

        def slurp(peer):
            peer.head()
            while peer.socket.recv(65536):
                pass

        sealed, plain = self.port(), self.port()
        river = self.river(
            proxy(f'{sealed} cert-path="{pair.chain}" key-path="{pair.key}"', self.origin(slurp)) +
            f'up {{ listeners {{ "{plain}"; }}; respond status=200 body="up"; }}', threads=1)
        return sealed, plain, river

    def test_others_are_served_meanwhile(self):
        sealed, plain, river = self.serve_both()
        peer = self.connect(sealed)
        client = self.own(OpenSsl(peer))
        client.write(get("/", "Content-Length: 100000000", method="POST"))
        peer.send(client.taken())
        flood = client.key_updates(RECORDS)
        other = self.own(connect(plain))
        self.assertEqual(other.ask(get()).status, 200)
        took = []
        peer.socket.settimeout(30)
        sender = threading.Thread(target=peer.send, args=(flood,))
        start = time.monotonic()
        sender.start()
        while sender.is_alive():
            asked = time.monotonic()
            self.assertEqual(other.ask(get()).body, b"up")
            took.append(time.monotonic() - asked)
        lasted = time.monotonic() - start
        told = f"{len(took)} answers in {lasted:.2f} s, the slowest after {max(took):.2f} s"
        # The others get their turns: no single wait is most of the whole.
        self.assertGreater(len(took), 4, told)
        self.assertLess(max(took), lasted * 2 / 3, told)
        self.assertNotIn("stuck", river.errors())


if __name__ == "__main__":
    main()
