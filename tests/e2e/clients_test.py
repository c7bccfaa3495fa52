"""Real clients and real servers: curl, Python's http.client and http.server, nginx, wrk."""

import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import unittest

from harness import Nginx, PythonOrigin, Test, is_sanitized, main, proxy


def run(*arguments, data=None, seconds=60):
    return subprocess.run(arguments, input=data, capture_output=True, timeout=seconds, check=False)


@unittest.skipUnless(shutil.which("curl"), "curl is not here")
class Curl(Test):
    def setUp(self):
        self.listen = self.port()
        self.river(proxy(self.listen, self.own(PythonOrigin())))

    def curl(self, *arguments, data=None):
        result = run("curl", "-sS", "--max-time", "20", *arguments, data=data)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout

    def test_get_and_head(self):
        seen = json.loads(self.curl(f"http://{self.listen}/path?x=1"))
        self.assertEqual((seen["method"], seen["target"]), ("GET", "/path?x=1"))
        head = self.curl("-I", f"http://{self.listen}/").decode()
        self.assertTrue(head.startswith("HTTP/1.1 200 OK\r\n"))

    def test_post_with_expect(self):
        data = os.urandom(2 << 20).hex().encode()
        seen = json.loads(self.curl("--data-binary", "@-", "-H", "Expect: 100-continue",
                                    f"http://{self.listen}/", data=data))
        self.assertEqual((seen["method"], seen["body"].encode()), ("POST", data))

    def test_several_requests_on_one_connection(self):
        output = self.curl(*[f"http://{self.listen}/{i}" for i in range(5)], "-v", "--stderr", "-")
        self.assertEqual(len(re.findall(rb"HTTP/1.1 200", output)), 5)
        self.assertEqual(len(re.findall(rb"Re-using existing .*connection", output)), 4)

    def test_http10(self):
        seen = json.loads(self.curl("--http1.0", f"http://{self.listen}/"))
        self.assertEqual(seen["method"], "GET")


class Python(Test):
    def test_http_client(self):
        port = self.port()
        self.river(proxy(port, self.own(PythonOrigin())))
        client = http.client.HTTPConnection(*port.address, timeout=15)
        self.addCleanup(client.close)
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
            client.request(method, "/x", body=b"data" if method in ("PUT", "PATCH") else None)
            seen = json.loads(client.getresponse().read())
            self.assertEqual((seen["method"], seen["target"]), (method, "/x"))

        client.request("GET", "/", headers={"X-Long": "y" * 8000})
        self.assertIn("y" * 8000, client.getresponse().read().decode())


@unittest.skipUnless(shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin"),
                     "nginx is not here")
class NginxOrigin(Test):
    def setUp(self):
        self.nginx = self.own(Nginx("""location /hello { return 200 "hello\\n"; }
            location /slow { limit_rate 400k; } location /gone { return 410; }
            location /wide { return 200 "x\\n"; add_header X-A 1; add_header X-A 2; }"""))
        self.listen = self.port()
        self.river_ = self.river(proxy(self.listen, self.nginx))

    def get(self, target, **headers):
        client = http.client.HTTPConnection(*self.listen.address, timeout=15)
        self.addCleanup(client.close)
        client.request("GET", target, headers=headers)
        response = client.getresponse()
        return response, response.read()

    def test_small_answers(self):
        response, body = self.get("/hello")
        self.assertEqual((response.status, body), (200, b"hello\n"))
        self.assertEqual(self.get("/gone")[0].status, 410)
        self.assertEqual(self.get("/wide")[0].headers.get_all("X-A"), ["1", "2"])

    def test_large_files_and_ranges(self):
        data = os.urandom(8 << 20)
        self.nginx.write("file", data)
        self.assertEqual(hashlib.sha256(self.get("/file")[1]).digest(),
                         hashlib.sha256(data).digest())
        response, body = self.get("/file", Range="bytes=1000-1999")
        self.assertEqual((response.status, body), (206, data[1000:2000]))
        etag = self.get("/file")[0].headers["ETag"]
        self.assertEqual(self.get("/file", **{"If-None-Match": etag})[0].status, 304)

    def test_a_slow_body(self):
        data = os.urandom(400 << 10)
        self.nginx.write("slow", data)
        self.assertEqual(self.get("/slow")[1], data)

    @unittest.skipUnless(shutil.which("wrk"), "wrk is not here")
    def test_wrk_without_one_error(self):
        seconds = 3
        result = run("wrk", "-t", "2", "-c", "64", "-d", str(seconds),
                     f"http://{self.listen}/hello")
        output = result.stdout.decode()
        self.assertEqual(result.returncode, 0, output)
        self.assertNotIn("Socket errors", output)
        self.assertNotIn("Non-2xx", output)
        requests = int(re.search(r"(\d+) requests in", output)[1])
        self.assertGreater(requests, 500 if is_sanitized() else 5000)
        worker = self.river_.status()["worker"]
        answers = worker["services"][0]["answers"]
        self.assertGreaterEqual(answers["2xx"], requests)
        self.assertEqual((answers["4xx"], answers["5xx"]), (0, 0))
        self.assertLessEqual(set(worker["faults"]), {"client-gone"})  # wrk's end


if __name__ == "__main__":
    main()
