"""JupyterLab: its page, its login, notebooks, kernels and terminals over WebSockets."""

import json
import os
import re
import uuid

from apps import AppTest, main, pinned, use, version

use("jupyter")

TOKEN = "secret-token"
SITE = """
lab {{
    listeners {{
        "{listen}"
    }}
    host "{origin}"
    connectors {{
        "{origin}"
    }}
}}
"""


class Jupyter(AppTest):
    app = "JupyterLab"
    program = "jupyter"

    @classmethod
    def version(cls):
        return version("jupyterlab")

    def setUp(self):
        super().setUp()
        self.lab = self.start_lab()

    def start_lab(self, *flags):
        directory = self.directory()
        os.mkdir(os.path.join(directory, "notebooks"))
        lab = self.port()
        self.start("jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                   f"--port={lab.number}", "--ServerApp.port_retries=0", *flags,
                   f"--notebook-dir={directory}/notebooks", at=lab, directory=directory,
                   environment={"JUPYTER_TOKEN": TOKEN, "JUPYTER_CONFIG_DIR": directory + "/config",
                                "JUPYTER_RUNTIME_DIR": directory + "/run",
                                "IPYTHONDIR": directory + "/ipython"})
        return lab

    def login(self, base):
        """A session as a browser has it after the login form."""
        import requests
        session = self.own(requests.Session())
        session.verify = getattr(self, "authority", True)
        page = session.get(base + "/lab", timeout=30)
        self.assertEqual(page.status_code, 200, page.text[:300])
        self.assertTrue(page.url.startswith(base + "/login?next="), page.url)
        form = {"_xsrf": session.cookies["_xsrf"], "password": TOKEN}
        page = session.post(page.url, data=form, timeout=30)
        self.assertEqual((page.status_code, page.url), (200, base + "/lab"))
        session.headers["X-XSRFToken"] = session.cookies["_xsrf"]
        return session, page.text

    def socket(self, session, base, path, **options):
        import websocket
        cookie = "; ".join(f"{c.name}={c.value}" for c in session.cookies)
        return websocket.create_connection(
            base.replace("http", "ws", 1) + path, origin=base, cookie=cookie, timeout=60,
            sslopt={"ca_certs": getattr(self, "authority", None)}, **options)

    def run_code(self, session, base):
        """What a kernel prints, asked as JupyterLab asks it."""
        kernel = session.post(base + "/api/kernels", json={"name": "python3"}, timeout=60)
        self.assertEqual(kernel.status_code, 201, kernel.text)
        ident, number = kernel.json()["id"], uuid.uuid4().hex
        connection = self.own(self.socket(
            session, base, f"/api/kernels/{ident}/channels?session_id={number}"))
        code = "print(6 * 7); print('x' * 300000)"
        connection.send(json.dumps({
            "channel": "shell", "content": {"code": code, "silent": False}, "metadata": {},
            "parent_header": {}, "header": {
                "msg_id": number, "msg_type": "execute_request", "session": number,
                "username": "", "version": "5.3", "date": "2026-01-01T00:00:00Z"}}))
        printed = ""
        while True:
            message = json.loads(connection.recv())
            if message["parent_header"].get("msg_id") != number:
                continue
            if message["msg_type"] == "stream":
                printed += message["content"]["text"]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        self.assertEqual(session.delete(f"{base}/api/kernels/{ident}", timeout=60).status_code,
                         204)
        return printed

    def work(self, base):
        session, page = self.login(base)
        settings = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page,
                                        re.DOTALL)[1])
        bundle = re.search(r'src="(/static/lab/main[^"]+)"', page)[1]
        self.assertEqual(session.get(base + bundle, timeout=30).status_code, 200)
        self.assertEqual(settings["baseUrl"], "/")
        name = "caf\u00e9 %2F tea.ipynb"
        url = f"{base}/api/contents/" + "caf%C3%A9%20%252F%20tea.ipynb"
        notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        put = session.put(url, json={"type": "notebook", "content": notebook}, timeout=30)
        self.assertEqual(put.status_code, 201, put.text)
        listed = session.get(base + "/api/contents", timeout=30).json()["content"]
        self.assertEqual([entry["name"] for entry in listed], [name])
        large = "y" * (6 << 20)
        put = session.put(base + "/api/contents/large.txt", timeout=60,
                          json={"type": "file", "format": "text", "content": large})
        self.assertEqual(put.status_code, 201)
        got = session.get(base + "/files/large.txt", timeout=60)
        self.assertEqual(got.text, large)
        self.assertEqual(self.run_code(session, base), "42\n" + "x" * 300000 + "\n")
        terminal = session.post(base + "/api/terminals", timeout=30).json()["name"]
        connection = self.own(self.socket(session, base, f"/terminals/websocket/{terminal}"))
        connection.send(json.dumps(["stdin", "echo $((40+2))$((1+1))\r"]))
        seen = ""
        while "422" not in seen:
            kind, *words = json.loads(connection.recv())
            seen += words[0] if kind == "stdout" else ""
        session.delete(f"{base}/api/terminals/{terminal}", timeout=30)

    def test_http(self):
        """login form, the page and its bundle, notebooks and 6 MB files, a kernel and a terminal
        over WebSockets"""
        self.work(f"http://{self.river_proxy(self.lab)}")

    def test_https(self):
        """the same with TLS"""
        self.work(f"https://localhost:{self.river_proxy(self.lab, tls=True).number}")

    def test_other_names(self):
        """Host app.example: 403 by Jupyter; with `host` the page works, WebSockets do not"""
        import requests
        import websocket
        name = {"Host": "app.example"}
        port = self.river_proxy(self.lab)
        self.assertEqual(requests.get(f"http://{port}/login", headers=name,
                                      timeout=30).status_code, 403)
        port = self.port()
        self.river_file(SITE.format(listen=port, origin=self.lab), "host ADDRESS")
        base = f"http://{port}"
        self.assertEqual(requests.get(base + "/login", headers=name, timeout=30).status_code, 200)
        session, _ = self.login(base)
        with self.assertRaises(websocket.WebSocketBadStatusException) as caught:
            self.run_code(session, base)
        self.assertEqual(caught.exception.status_code, 403)

    def test_other_names_allowed(self):
        """Host app.example with Jupyter's allow_remote_access: page, kernel, terminal"""
        port = self.river_proxy(self.start_lab("--ServerApp.allow_remote_access=True"), tls=True)
        with pinned("app.example"):
            self.work(f"https://app.example:{port.number}")


if __name__ == "__main__":
    main()
