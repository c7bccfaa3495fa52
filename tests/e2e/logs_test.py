"""The access log's three forms, the error log, reopening, and a reader that has stopped."""

import json
import os
import re
import signal
import threading
import time

from harness import Port, River, Test, always, answer, get, main, proxy, wait_until


class Access(Test):
    def lines(self, form, *fields, system=None):
        port, origin, river = self.serve(
            always(answer("hello", status="203 X")),
            system=system or f'log {{ access "stdout" format="{form}"; }}')
        peer = self.connect(port)
        peer.ask(get("/path?q=%22", "X-Request-Id: id-1", "User-Agent: test/1", *fields))
        wait_until(lambda: river.output().count("\n") == 1, "a line is written")
        self.assertEqual(river.output()[-1], "\n")
        return river.output()[:-1], origin, peer.socket.getsockname()

    def test_json(self):
        line, origin, (host, port) = self.lines("json")
        record = json.loads(line)
        for key, value in {"request_id": "id-1", "user_agent": "test/1",
                           "client": f"{host}:{port}", "service": "app",
                           "host": "a.example", "method": "GET", "target": "/path?q=%22",
                           "status": 203, "upstream": str(origin), "attempts": 1}.items():
            self.assertEqual(record[key], value, key)
        for key in ("time", "bytes_in", "bytes_out", "total_us", "connect_us", "first_byte_us"):
            self.assertIn(key, record)
        self.assertGreater(record["bytes_out"], 5)

    def test_logfmt(self):
        line, origin, _ = self.lines("logfmt")
        for part in ("request_id=id-1", "service=app", "status=203", f"upstream={origin}"):
            self.assertIn(" " + part + " ", line)

    def test_combined(self):
        line, _, _ = self.lines("combined", "Referer: http://r.example/")
        self.assertTrue(re.fullmatch(
            r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
            r'"GET /path\?q=%22 HTTP/1\.1" 203 5 "http://r\.example/" "test/1"', line), line)

    def test_peers_cannot_forge_lines(self):
        for form in ("json", "logfmt", "combined"):
            line, _, _ = self.lines(form, 'Referer: "\\" status=200 \x7f')
            self.assertNotIn("\n", line)
            if form == "json":
                json.loads(line)

    def test_refusals_carry_their_reason(self):
        port = self.port()
        dead = Port()
        self.addCleanup(dead.close)
        river = self.river(proxy(port, dead), 'log { access "stdout"; }')
        self.connect(port).ask(get())
        self.connect(port).ask(b"GET / HTTP/1.1\r\n\r\n")
        wait_until(lambda: river.output().count("\n") == 2, "two lines are written")
        # Each thread has its own ring, so the lines of two connections may change places.
        records = sorted((json.loads(line) for line in river.output().splitlines()),
                         key=lambda r: -r["status"])
        self.assertEqual([(r["status"], r["reason"]) for r in records][0],
                         (502, "connect-refused"))
        self.assertEqual(records[1]["status"], 400)
        self.assertTrue(records[1]["reason"].startswith("request-"))

    def test_a_fault_before_a_try_that_went_well_has_a_key_of_its_own(self):
        port = self.port()
        dead = Port()
        self.addCleanup(dead.close)
        origin = self.origin(always(answer("hello")))
        river = self.river(proxy(port, [dead, origin]), 'log { access "stdout"; }',
                           threads=1)
        for _ in range(2):
            self.assertEqual(self.connect(port).ask(get()).status, 200)
        records = river.logged(2)
        tried = [r for r in records if r["attempts"] == 2]
        self.assertEqual([r["status"] for r in records], [200, 200])
        self.assertEqual([r.get("retried") for r in tried], ["connect-refused"])
        self.assertFalse(any("reason" in r for r in records), records)


    def test_agent_and_referer_are_cut_and_escaped(self):
        for form in ("json", "logfmt"):
            line, _, _ = self.lines(form, 'Referer: "\xff' + "r" * 5000)
            self.assertLess(len(line), 4000)
            self.assertTrue(line.isascii() and line.isprintable(), line)
            self.assertIn('\\"', line)
            self.assertIn("rrr...", line)

    def test_answers_of_rivers_own_take_time(self):
        port = self.port()
        river = self.river(f'app {{ listeners {{ "{port}"; }}; '
                           'respond status=200 body="x"; }', 'log { access "stdout"; }')
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.connect(port).ask(b"GET /\x01 HTTP/1.1\r\n\r\n")
        for record in river.logged(2):
            self.assertLess(0, record["first_byte_us"])
            self.assertLessEqual(record["first_byte_us"], record["total_us"])
            self.assertLess(record["total_us"], 1_000_000)


def fields(line):
    """The fields of a line of the error log."""
    return {key: json.loads(value) if value.startswith('"') else value
            for key, value in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line)}


class Refusals(Test):
    def stop(self, river):
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(), 0)

    def refused(self, river, words="msg=\"request "):
        return [fields(line) for line in river.errors().splitlines() if words in line]

    def start(self, access="off", **more):
        port = self.port()
        river = self.river(
            f'app {{ listeners {{ "{port}"; }}; hosts "a.example"; '
            'routes { route "/there" { respond status=200 body="x"; }; }; }',
            f'log {{ access "{access}"; }}', **more)
        return port, river

    def test_each_reason_has_a_line_at_once_and_one_for_the_rest(self):
        for access in ("off", "stdout"):
            port, river = self.start(access)
            peer = self.connect(port)
            for i in range(30):
                self.assertEqual(peer.ask(get(f"/nowhere/{i}?q", "X-Request-Id: id-%d" % i)).status,
                                 404)
            self.assertEqual(self.connect(port).ask(get(host="other.example")).status, 421)
            self.assertEqual(self.connect(port).ask(b"GET /%00 HTTP/1.1\r\nHost: a.example\r\n\r\n")
                             .status, 400)
            self.assertEqual(self.connect(port).ask(
                b"TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n").status, 405)
            self.assertEqual(self.connect(port).ask(get("/" + "x" * 20000)).status, 414)
            wait_until(lambda: len(self.refused(river)) == 5, "each reason has a line")
            first = {line["reason"]: line for line in self.refused(river)}
            line = first["no-route"]
            host, client_port = peer.socket.getsockname()
            for key, value in {"count": "1", "status": "404", "service": "app", "method": "GET",
                               "host": "a.example", "target": "/nowhere/0?q", "request_id": "id-0",
                               "client": f"{host}:{client_port}", "level": "info"}.items():
                self.assertEqual(line[key], value, key)
            self.assertEqual(first["unknown-host"]["status"], "421")
            self.assertTrue(all(line["request_id"] for line in first.values()), first)
            self.assertEqual(peer.ask(get("/there")).status, 200)
            self.stop(river)
            rest = [line for line in self.refused(river) if line["count"] != "1"]
            self.assertEqual([(line["reason"], line["count"]) for line in rest],
                             [("no-route", "29")])
            self.assertEqual(rest[0]["target"], "/nowhere/1?q")

    def test_a_flood_of_failures_makes_few_lines(self):
        port = self.port()
        dead = Port()
        self.addCleanup(dead.close)
        river = self.river(proxy(port, dead))
        for _ in range(200):
            self.assertEqual(self.connect(port).ask(get()).status, 502)
        self.stop(river)
        lines = self.refused(river)
        self.assertEqual(len(lines), 2)
        self.assertEqual({line["level"] for line in lines}, {"warn"})
        self.assertEqual(sum(int(line["count"]) for line in lines), 200)
        self.assertTrue(all(line["upstream"] == str(dead) for line in lines))

    def test_hostile_bytes_stay_in_their_line(self):
        port, river = self.start()
        for _ in range(3):
            self.connect(port).ask(b"G\x1b[2J \" reason=none\r\x00 HTTP/1.1\r\n\r\n")
            self.connect(port).ask(b"\xff" * 300 + b"\n\n")
        self.connect(port).ask(get("/\"\\" + "%22" * 1000))
        self.stop(river)
        for line in river.errors().splitlines():
            self.assertTrue(line.startswith("time=2"), line)
            self.assertTrue(line.isascii() and line.isprintable(), line)
            self.assertLess(len(line), 1000)
        self.assertGreaterEqual(len(self.refused(river)), 3)


class Files(Test):
    def test_files_are_opened_again_on_sigusr1(self):
        directory = self.directory()
        access, error = (os.path.join(directory, n) for n in ("access.log", "error.log"))
        port, _, river = self.serve(
            always(answer("x")),
            system=f'log {{ access "{access}"; error "{error}" level="debug"; }}')

        def content(path):
            if not os.path.exists(path):
                return ""
            with open(path, encoding="utf-8") as file:
                return file.read()

        peer = self.connect(port)
        peer.ask(get("/one"))
        wait_until(lambda: "/one" in content(access), "the first line is written")
        self.assertIn("msg=serving", content(error))
        os.rename(access, access + ".1")
        os.rename(error, error + ".1")
        river.signal(signal.SIGUSR1)
        wait_until(lambda: "logs opened again" in content(error), "the error log is new")
        wait_until(lambda: os.path.exists(access), "the access log is new")
        # The worker changes over when its writer wakes up.
        def asked():
            peer.ask(get("/two"))
            time.sleep(0.05)
            return "/two" in content(access)
        wait_until(asked, "the second line is in the new file")
        self.assertIn("/one", content(access + ".1"))
        self.assertNotIn("/one", content(access))

    def test_a_file_that_cannot_be_opened_stops_the_start(self):
        river = self.own(River(proxy(self.port(), "127.0.0.1:1"),
                               'log { access "/nonexistent/x.log"; }', wait=False))
        self.assertEqual(river.wait(), 3)
        self.assertIn("/nonexistent/x.log", river.errors())


class Full(Test):
    def test_a_log_that_nobody_reads_stops_nobody(self):
        path = os.path.join(self.directory(), "pipe")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        port, _, river = self.serve(always(answer("x")),
                                    system=f'log {{ access "{path}"; }}')
        def client():
            peer = self.connect(port)
            for _ in range(1500):
                self.assertEqual(peer.ask(get("/" + "a" * 2000)).status, 200)
        threads = [threading.Thread(target=client) for _ in range(4)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(time.monotonic() - start, 60)
        worker = river.status()["worker"]
        self.assertEqual(worker["requests"], 6000)
        self.assertGreater(worker["log_lines_dropped"]["access"], 0)
        wait_until(lambda: "dropped" in river.errors(), "the error log says so")
        os.close(reader)


if __name__ == "__main__":
    main()
