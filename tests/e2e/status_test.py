"""`river status`: what a running River says about itself."""

import json
import os
import stat

from harness import Test, always, answer, command, connect, get, main


class Status(Test):
    def setUp(self):
        self.listen, self.origin_, self.river_ = self.serve(always(answer("hello")))
        peer = self.connect(self.listen)
        for _ in range(5):
            peer.ask(get())
        self.connect(self.listen).ask(b"GET / HTTP/1.1\r\n\r\n")

    def test_json(self):
        result = command("status", "--json", "--control-socket", self.river_.control)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        status = json.loads(result.stdout)
        self.assertEqual(status["state"], "serving")
        self.assertEqual(status["supervisor_pid"], self.river_.pid)
        self.assertGreater(status["up_ms"], 0)
        worker = status["worker"]
        self.assertEqual((worker["threads"], worker["requests"], worker["accepted"]), (2, 6, 2))
        self.assertEqual(worker["faults"], {"request-host-missing": 1}
                         if "request-host-missing" in worker["faults"] else worker["faults"])
        self.assertEqual(len(worker["faults"]), 1)
        service = worker["services"][0]
        self.assertEqual((service["name"], service["answers"]["2xx"], service["answers"]["4xx"]),
                         ("app", 5, 1))
        self.assertEqual(service["upstreams"], [str(self.origin_)])
        upstream = worker["upstreams"][0]
        self.assertEqual({k: upstream[k] for k in ("name", "requests", "failures", "opened",
                                                   "reused", "active", "idle")},
                         {"name": str(self.origin_), "requests": 5, "failures": 0, "opened": 1,
                          "reused": 4, "active": 0, "idle": 1})
        for part in ("used_bytes", "peak_bytes", "max_bytes"):
            self.assertIn(part, worker["memory"])
        self.assertEqual(worker["log_lines_dropped"], {"access": 0, "error": 0})

    def test_for_people(self):
        result = command("status", environment={"RIVER_CONTROL_SOCKET": self.river_.control})
        self.assertEqual(result.returncode, 0)
        for word in ("serving for", f"pid {self.river_.pid}", "SERVICE", "UPSTREAM", "FAULTS",
                     str(self.origin_)):
            self.assertIn(word, result.stdout)

    def test_only_its_user_may_ask(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.river_.control).st_mode), 0o600)

    def test_nonsense_and_silence_disturb_nobody(self):
        silent = [self.own(connect(self.river_.control)) for _ in range(3)]
        for line in ("x\n", "y" * 1000, "status text", "\0\n"):
            peer = self.own(connect(self.river_.control))
            peer.send(line)
            if line != "status text":
                self.assertEqual(peer.rest(), b"")
        self.assertEqual(self.river_.status()["state"], "serving")
        self.assertEqual(len(silent), 3)

    def test_nobody_there(self):
        result = command("status", "--control-socket", "/nonexistent/control")
        self.assertEqual(result.returncode, 3)
        self.assertIn("no River answers", result.stderr)


if __name__ == "__main__":
    main()
