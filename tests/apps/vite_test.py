"""Vite's dev server: modules, packages, paths within paths, and its WebSocket, which tells the
page that a module has changed."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request

from apps import HERE, AppTest, main, place

PACKAGE = "@tea/pot"  # one with a scope, as many are
FILES = {
    "index.html": '<!doctype html><title>Tea</title><p id="app"></p>'
                  '<script type="module" src="/main.js"></script>',
    "main.js": "import {brew} from './brew.js';\nimport {pot} from '@tea/pot';\n"
               "import './style.css';\ndocument.title = brew() + pot;\n"
               "import.meta.hot.accept('./brew.js', () => {});\n",
    "brew.js": "export const brew = () => 'green';\nimport.meta.hot.accept();\n",
    "style.css": "p { color: green }",
    f"node_modules/{PACKAGE}/package.json":
        '{"name": "@tea/pot", "version": "1.0.0", "type": "module", "main": "index.js"}',
    f"node_modules/{PACKAGE}/index.js": "export const pot = 'pot';\n",
}


class Vite(AppTest):
    app = "Vite (dev server)"
    program = "vite"

    @classmethod
    def version(cls):
        with open(place("vite", "node_modules", "vite", "package.json"), encoding="utf-8") as file:
            return json.load(file)["version"]

    def setUp(self):
        super().setUp()
        self.place = self.directory()
        for name, text in FILES.items():
            path = os.path.join(self.place, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self.dev = self.port()
        self.start(shutil.which("node"), place("vite", "node_modules", "vite", "bin", "vite.js"),
                   "--host", "127.0.0.1", "--port", self.dev.number, "--strictPort",
                   at=self.dev, directory=self.place)

    def fetch(self, url, host=None):
        request = urllib.request.Request(url, headers={"Host": host} if host else {})
        context = self.trust() if url.startswith("https") else None
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.read().decode()

    def work(self, base):
        self.assertIn("/@vite/client", self.fetch(base))
        module = self.fetch(base + "main.js")
        self.assertIn("/brew.js", module)
        package = module.split('from "/node_modules/')[1].split('"')[0]
        self.assertIn("pot", self.fetch(base + "node_modules/" + package))
        self.assertIn("color: green", self.fetch(base + "style.css?direct"))
        self.assertIn("color: green", self.fetch(base + "@fs" + self.place + "/style.css?raw"))
        self.assertIn("color: green", self.fetch(base + "@fs/" + self.place + "/style.css?raw"))
        self.assertIn("<title>", self.fetch(base + "a/page/of/the/application"))
        client = os.path.join(place("vite"), "client.js")
        shutil.copy(os.path.join(HERE, "vite", "client.js"), client)  # where `ws` is found
        done = subprocess.run(
            ["node", client, base, os.path.join(self.place, "brew.js")], capture_output=True,
            text=True, timeout=60, check=False,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": getattr(self, "authority", "")})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {"seen": ["connected", "update"],
                                                   "path": "/brew.js", "isNew": True})

    def test_http(self):
        """page, modules, a scoped package, /@fs/ paths, its page for any path; hot replacement of
        a changed module over the WebSocket"""
        self.work(f"http://{self.river_proxy(self.dev)}/")

    def test_https(self):
        """the same with TLS"""
        self.work(f"https://localhost:{self.river_proxy(self.dev, tls=True).number}/")

    def test_other_names(self):
        """Host app.example: 403 by Vite, which wants it in server.allowedHosts"""
        port = self.river_proxy(self.dev)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.fetch(f"http://{port}/", host="app.example")
        self.addCleanup(caught.exception.close)
        self.assertEqual(caught.exception.code, 403)
        self.assertIn(b"allowedHosts", caught.exception.read())


if __name__ == "__main__":
    main()
