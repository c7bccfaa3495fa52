#!/usr/bin/env python3
"""A browser: headless Chromium loads a page with its parts through River, over HTTP/2."""

import http.server
import json

from browser import chromium
from certificates import Authority
from harness import PythonOrigin, Test, main, proxy, wait_until

PAGE = (b"<!doctype html><link rel=stylesheet href=/style.css><p id=a>static</p>"
        b"<script src=/script.js></script>")
PARTS = {"/": ("text/html", PAGE), "/style.css": ("text/css", b"p { color: green }"),
         "/script.js": ("text/javascript",
                        b"document.getElementById('a').textContent = 'from the script';")}


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        kind, body = PARTS.get(self.path, ("text/plain", b"nothing here"))
        self.send_response(200 if self.path in PARTS else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


class Browser(Test):
    def test_chromium_loads_a_page_over_http2(self):
        directory = self.directory()
        pair = Authority(directory, "ca").issue("site", names=["localhost"])
        port = self.port()
        origin = self.own(PythonOrigin(Pages))
        river = self.river(proxy(f'{port} cert-path="{pair.chain}" key-path="{pair.key}"', origin),
                           'log { access "stdout" format="json"; }')
        done = chromium(directory, f"https://localhost:{port.number}/", "--dump-dom")
        self.assertIn("from the script", done.stdout, done.stderr[-2000:])
        lines = wait_until(lambda: self.lines(river), "three requests are in the log")
        self.assertEqual({line["protocol"] for line in lines}, {"HTTP/2"})
        self.assertTrue({"/", "/style.css", "/script.js"} <= {line["target"] for line in lines})

    @staticmethod
    def lines(river):
        lines = [json.loads(line) for line in river.output().splitlines()]
        return lines if len(lines) >= 3 else None


if __name__ == "__main__":
    main()
