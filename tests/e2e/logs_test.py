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
        for key, value in {"request_id": "id-1", "client": f"{host}:{port}", "service": "app",
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
