"""Prometheus as Debian packages it: its page, its interface, and both below a prefix."""

import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from apps import AppTest, main, place

CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: self
    metrics_path: {path}
    static_configs: [{{targets: ["{address}"]}}]
"""
BELOW = """
site {{
    listeners {{
        "{listen}"
    }}
    routes {{
        route "/prometheus" {{
            connectors {{
                "{origin}"
            }}
        }}
        route "/" {{
            respond status=200
        }}
    }}
}}
"""


class Prometheus(AppTest):
    app = "Prometheus"
    program = "prometheus"

    @classmethod
    def version(cls):
        with open(place("prometheus", "installed"), encoding="utf-8") as file:
            return file.read().strip()

    def serve(self, prefix="", *flags):
        directory, server = self.directory(), self.port()
        with open(os.path.join(directory, "prometheus.yml"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(address=server, path=prefix + "/metrics"))
        assets = place("prometheus", "root", "usr", "share", "prometheus", "web")
        self.start(place("prometheus", "root", "usr", "bin", "prometheus"),
                   "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                   f"--web.listen-address={server}", f"--web.local-assets={assets}", *flags,
                   at=server, directory=directory)
        return server

    def fetch(self, url, form=None):
        data = urllib.parse.urlencode(form).encode() if form else None
        context = self.trust() if url.startswith("https") else None
        try:
            answer = urllib.request.urlopen(url, data, timeout=30, context=context)
        except urllib.error.HTTPError as error:
            error.add_note(url)
            raise
        with answer:
            return answer.url, answer.read().decode("utf-8", "replace")

    def work(self, base):
        where, page = self.fetch(base + "/")
        self.assertTrue(where.startswith(base + "/") and len(where) > len(base) + 1, where)
        links = [link for link in re.findall(r'(?:src|href)="([^"#]+)"', page)
                 if "/static/" in link or link.startswith("static/")]
        self.assertGreater(len(links), 5)
        for link in links:
            self.fetch(urllib.parse.urljoin(where, link))
        end, query = time.monotonic() + 30, 'up{job="self"}'
        while True:
            _, text = self.fetch(base + "/api/v1/query", {"query": query})
            found = json.loads(text)["data"]["result"]
            if found and found[0]["value"][1] == "1":
                break
            self.assertLess(time.monotonic(), end, text)
            time.sleep(0.1)
        now = time.time()
        _, text = self.fetch(base + "/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": "rate(go_gc_duration_seconds_count[1m]) > bool 0", "start": now - 60,
             "end": now, "step": "1s"}))
        self.assertEqual(json.loads(text)["status"], "success")
        self.assertIn("self", self.fetch(base + "/api/v1/label/job/values")[1])
        self.assertIn('up{', self.fetch(base + "/federate?match%5B%5D=up")[1])
        self.assertIn("prometheus_build_info", self.fetch(base + "/metrics")[1])
        self.assertIn("self", self.fetch(urllib.parse.urljoin(where, "targets"))[1])
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.fetch(base + "/api/v1/query?query=up%7B")
        self.addCleanup(caught.exception.close)
        self.assertEqual(caught.exception.code, 400)

    def test_https(self):
        """with TLS: the page and all that it loads, queries by GET and POST, federation, an error
        of the query language"""
        port = self.river_proxy(self.serve(), tls=True)
        self.work(f"https://localhost:{port.number}")

    def test_below_a_prefix(self):
        """the same at /prometheus, by its --web.external-url; the rest of the site is another's"""
        port = self.port()
        origin = self.serve("/prometheus", f"--web.external-url=http://{port}/prometheus/")
        self.river_file(BELOW.format(listen=port, origin=origin), 'route "/prometheus"')
        self.work(f"http://{port}/prometheus")


if __name__ == "__main__":
    main()
