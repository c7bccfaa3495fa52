"""A container registry (distribution's), with crane as its client and by hand, chunk by chunk."""

import hashlib
import http.client
import json
import os
import subprocess
import tarfile
import urllib.parse

from apps import AppTest, main, place

CONFIGURATION = """
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {directory}/data}}
  delete: {{enabled: true}}
http: {{addr: "{address}", secret: x}}
"""
MEGABYTES = 10
NAME = "library/tea/pot"


class Registry(AppTest):
    app = "registry (distribution), crane"
    program = "registry"

    @classmethod
    def version(cls):
        with open(place("registry", "installed"), encoding="utf-8") as file:
            return ", ".join(module.rsplit("@", 1)[1] for module in file.read().split())

    def setUp(self):
        super().setUp()
        self.place = self.directory()
        self.store = self.port()
        path = os.path.join(self.place, "config.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(directory=self.place, address=self.store))
        self.start("registry", "serve", path, at=self.store, directory=self.place)

    def crane(self, *words):
        done = subprocess.run([place("registry", "bin", "crane"), *words], cwd=self.place,
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "HOME": self.place,
                                   "SSL_CERT_FILE": self.authority})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_images(self):
        """crane over TLS: an image of 10 MB pushed, listed, tagged, copied, pulled, validated,
        deleted"""
        port = self.river_proxy(self.store, tls=True)
        with open(os.path.join(self.place, "content"), "wb") as file:
            file.write(os.urandom(MEGABYTES << 20))
        with tarfile.open(os.path.join(self.place, "layer.tar"), "w") as layer:
            layer.add(os.path.join(self.place, "content"), "content")
        image = f"localhost:{port.number}/{NAME}"
        self.crane("append", "-f", "layer.tar", "-t", image + ":1")
        self.crane("tag", image + ":1", "two")
        self.assertEqual(sorted(self.crane("ls", image).split()), ["1", "two"])
        self.crane("copy", image + ":two", f"localhost:{port.number}/copy:3")
        self.crane("pull", f"localhost:{port.number}/copy:3", "pulled.tar")
        self.crane("validate", "--tarball", "pulled.tar")
        self.crane("validate", "--remote", image + ":1")
        self.assertEqual(sorted(self.crane("catalog", f"localhost:{port.number}").split()),
                         ["copy", NAME])
        digest = self.crane("digest", image + ":1").strip()
        self.crane("delete", f"{image}@{digest}")

    def test_chunks(self):
        """over TLS, by hand: a blob in PATCHes with Content-Range and in one that is chunked,
        where to continue, ranges, the links are https"""
        port = self.river_proxy(self.store, tls=True)
        client = http.client.HTTPSConnection("localhost", port.number, timeout=30,
                                             context=self.trust())
        self.addCleanup(client.close)
        base = f"https://localhost:{port.number}"

        def ask(method, url, body=None, **fields):
            url = url.removeprefix(base)
            client.request(method, url, body, {k.replace("_", "-"): v for k, v in fields.items()},
                           encode_chunked=fields.get("Transfer_Encoding") == "chunked")
            answer = client.getresponse()
            return answer, answer.read()

        blob = os.urandom(MEGABYTES << 20)
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        answer, _ = ask("POST", f"/v2/{NAME}/blobs/uploads/")
        self.assertEqual(answer.status, 202)
        at, size = 0, 3 << 20
        while at < len(blob):
            piece = blob[at:at + size]
            where = answer.headers["Location"]
            self.assertTrue(where.startswith(base + "/"), where)
            if at == size:  # the second without a length
                answer, body = ask("PATCH", where, iter([piece]), Transfer_Encoding="chunked",
                                   Content_Type="application/octet-stream")
            else:
                answer, body = ask("PATCH", where, piece, Content_Length=str(len(piece)),
                                   Content_Range=f"{at}-{at + len(piece) - 1}",
                                   Content_Type="application/octet-stream")
            self.assertEqual(answer.status, 202, body)
            at += len(piece)
            self.assertEqual(answer.headers["Range"], f"0-{at - 1}")
        answer, _ = ask("GET", answer.headers["Location"])
        self.assertEqual((answer.status, answer.headers["Range"]), (204, f"0-{at - 1}"))
        where = answer.headers["Location"]
        mark = "&" if "?" in where else "?"
        answer, body = ask("PUT", where + mark + urllib.parse.urlencode({"digest": digest}),
                           b"", Content_Length="0")
        self.assertEqual(answer.status, 201, body)
        answer, body = ask("HEAD", f"/v2/{NAME}/blobs/{digest}")
        self.assertEqual(answer.headers["Content-Length"], str(len(blob)))
        answer, body = ask("GET", f"/v2/{NAME}/blobs/{digest}")
        self.assertEqual(body, blob)
        answer, body = ask("GET", f"/v2/{NAME}/blobs/{digest}", Range="bytes=5-104")
        self.assertEqual((answer.status, body), (206, blob[5:105]))
        answer, body = ask("GET", f"/v2/{NAME}/manifests/none")
        self.assertEqual(answer.status, 404)
        self.assertEqual(json.loads(body)["errors"][0]["code"], "MANIFEST_UNKNOWN")
        self.assertEqual(answer.headers["Docker-Distribution-Api-Version"], "registry/2.0")


if __name__ == "__main__":
    main()
