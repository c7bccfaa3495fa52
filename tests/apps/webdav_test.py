"""WebDAV: calendars in Radicale, files in WsgiDAV; what moves names its destination."""

import os
import urllib.parse

from apps import AppTest, main, use, version

use("webdav")

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:{0}
DTSTAMP:20260101T000000Z
DTSTART:202601{0:02}T100000Z
DTEND:202601{0:02}T110000Z
SUMMARY:Tea {0}
END:VEVENT
END:VCALENDAR
"""
QUERY = """<?xml version="1.0"?>
<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">
<d:prop><d:getetag/><c:calendar-data/></d:prop>
<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT">
<c:time-range start="20260103T000000Z" end="20260105T000000Z"/>
</c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"""
LOCK = """<?xml version="1.0"?><d:lockinfo xmlns:d="DAV:"><d:lockscope><d:exclusive/></d:lockscope>
<d:locktype><d:write/></d:locktype><d:owner>me</d:owner></d:lockinfo>"""
NAMES = ["plain.txt", "sp ace.txt", "caf\u00e9.txt", "50%.txt", "a#b?c.txt", "a+b&c;d.txt"]
MEGABYTES = 8


class Dav(AppTest):
    program = "webdav"

    def client(self, port, tls):
        """Asks below this port: status, body, fields."""
        import requests
        session = self.own(requests.Session())
        session.auth = ("me", "secret")
        base = f"http://{port}"
        if tls:
            session.verify = self.authority
            base = f"https://localhost:{port.number}"

        def ask(method, path, body=None, **fields):
            fields = {name.replace("_", "-"): value for name, value in fields.items()}
            answer = session.request(method, base + path, data=body, headers=fields, timeout=30)
            return answer.status_code, answer.content, answer.headers
        return ask, base


class Radicale(Dav):
    app = "CalDAV (Radicale)"

    @classmethod
    def version(cls):
        return version("radicale")

    def work(self, tls):
        directory, server = self.directory(), self.port()
        users = os.path.join(directory, "users")
        with open(users, "w", encoding="utf-8") as file:
            file.write("me:secret\n")
        self.start("radicale", "--server-hosts", server, "--auth-type", "htpasswd",
                   "--auth-htpasswd-filename", users, "--auth-htpasswd-encryption", "plain",
                   "--storage-filesystem-folder", os.path.join(directory, "data"), at=server)
        port = self.river_proxy(server, tls=tls)
        ask, base = self.client(port, tls)
        home = "/me/cal/"
        self.assertEqual(ask("PROPFIND", "/", Depth="0")[0], 207)
        self.assertEqual(ask("MKCALENDAR", home)[0], 201)
        for number in range(1, 9):
            self.assertEqual(ask("PUT", f"{home}{number}.ics", EVENT.format(number),
                                 Content_Type="text/calendar")[0], 201)
        status, body, fields = ask("GET", home + "3.ics")
        self.assertEqual((status, b"SUMMARY:Tea 3" in body), (200, True))
        self.assertEqual(ask("PUT", home + "3.ics", EVENT.format(3), Content_Type="text/calendar",
                             If_Match='"another"')[0], 412)
        self.assertEqual(ask("PUT", home + "3.ics", EVENT.format(3), Content_Type="text/calendar",
                             If_Match=fields["ETag"])[0], 204)
        status, body, _ = ask("PROPFIND", home, Depth="1")
        self.assertEqual((status, body.count(b".ics</href>")), (207, 8))
        status, body, _ = ask("REPORT", home, QUERY, Depth="1")
        self.assertEqual((status, body.count(b"SUMMARY:Tea")), (207, 2))
        self.assertEqual(ask("MKCALENDAR", "/me/other/")[0], 201)
        self.assertEqual(ask("MOVE", home + "5.ics",
                             Destination=f"{base}/me/other/5.ics")[0], 201)
        self.assertEqual(ask("GET", "/me/other/5.ics")[0], 200)
        self.assertEqual(ask("DELETE", home)[0], 200)
        self.assertEqual(ask("GET", home + "3.ics")[0], 404)

    def test_http(self):
        """a calendar made, events put, changed with If-Match, listed, queried, moved, deleted"""
        self.work(tls=False)

    def test_https(self):
        """the same with TLS: the destination of MOVE is an https address"""
        self.work(tls=True)


class Files(Dav):
    app = "WebDAV (WsgiDAV)"

    @classmethod
    def version(cls):
        return version("wsgidav")

    def setUp(self):
        super().setUp()
        self.root, self.server = self.directory(), self.port()
        self.start("wsgidav", "--host", "127.0.0.1", "--port", self.server.number, "--root",
                   self.root, "--auth", "anonymous", "--no-config", at=self.server)

    def work(self, port, tls):
        ask, base = self.client(port, tls)
        self.assertEqual(ask("MKCOL", "/in/")[0], 201)
        for name in NAMES:
            path = "/in/" + urllib.parse.quote(name)
            self.assertEqual(ask("PUT", path, name.encode())[0], 201, name)
            self.assertEqual(ask("GET", path)[1], name.encode())
        self.assertEqual(sorted(os.listdir(os.path.join(self.root, "in"))), sorted(NAMES))
        large = os.urandom(MEGABYTES << 20)
        pieces = (large[at:at + 100000] for at in range(0, len(large), 100000))
        self.assertEqual(ask("PUT", "/large", pieces)[0], 201)  # without a length
        self.assertEqual(ask("GET", "/large")[1], large)
        self.assertEqual(ask("GET", "/large", Range="bytes=-100")[1], large[-100:])
        self.assertEqual(ask("PROPFIND", "/in/", Depth="1")[0], 207)
        status, _, fields = ask("LOCK", "/large", LOCK, Content_Type="text/xml",
                                Timeout="Second-60")
        self.assertEqual(status, 200)
        self.assertEqual(ask("PUT", "/large", b"x")[0], 423)
        token = fields["Lock-Token"]
        self.assertEqual(ask("PUT", "/large", b"x", If=f"({token})")[0], 204)
        self.assertEqual(ask("UNLOCK", "/large", Lock_Token=token)[0], 204)
        self.assertEqual(ask("COPY", "/in/plain.txt", Destination=f"{base}/in/copy.txt")[0], 201)
        self.assertEqual(ask("MOVE", "/in/copy.txt", Destination=f"{base}/moved%20here",
                             Overwrite="F")[0], 201)
        self.assertEqual(ask("GET", "/moved%20here")[1], b"plain.txt")
        self.assertEqual(ask("DELETE", "/in/")[0], 204)
        self.assertEqual(ask("GET", "/in/plain.txt")[0], 404)

    def test_http(self):
        """folders, names with #, ?, %, ; and non-ASCII letters, 8 MB without a length, ranges,
        locks, COPY, MOVE, DELETE"""
        self.work(self.river_proxy(self.server), tls=False)

    def test_https(self):
        """the same with TLS: the destinations of COPY and MOVE are https addresses"""
        self.work(self.river_proxy(self.server, tls=True), tls=True)


if __name__ == "__main__":
    main()
