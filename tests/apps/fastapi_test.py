"""FastAPI under uvicorn: JSON, forms with files, streams in both directions, WebSockets."""

import os
import threading
import time

from apps import AppTest, main, use, version

use("fastapi")

APPLICATION = """
import asyncio, hashlib, json
from fastapi import FastAPI, File, Form, Request, UploadFile, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()

class Item(BaseModel):
    name: str
    price: float

@app.post("/items", status_code=201)
def create(item: Item, request: Request):
    return {"name": item.name, "double": item.price * 2, "url": str(request.url_for("create"))}

@app.post("/upload")
async def upload(title: str = Form(), file: UploadFile = File()):
    body = await file.read()
    return {"title": title, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}

@app.post("/stream")
async def stream(request: Request):
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return total

ended = []

@app.get("/events")
async def events(request: Request, count: int = 1000000):
    async def generate():
        try:
            for number in range(count):
                yield f"id: {number}\\ndata: {json.dumps({'n': number})}\\n\\n"
                await asyncio.sleep(0.05)
        finally:
            ended.append(1)
    return StreamingResponse(generate(), media_type="text/event-stream")

@app.get("/ended")
def count_of_ended():
    return len(ended)

@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept(subprotocol="chat")
    while True:
        text = await socket.receive_text()
        await socket.send_text(text.upper())
"""
MEGABYTES = 8


class FastAPI(AppTest):
    app = "FastAPI (uvicorn)"
    program = "fastapi"

    @classmethod
    def version(cls):
        return f"{version('fastapi')}, {version('uvicorn')}"

    def setUp(self):
        super().setUp()
        directory = self.directory()
        with open(os.path.join(directory, "shop.py"), "w", encoding="utf-8") as file:
            file.write(APPLICATION)
        self.api = self.port()
        self.start("uvicorn", "--port", self.api.number, "shop:app", at=self.api,
                   directory=directory)

    def client(self, tls=False):
        import httpx
        port = self.river_proxy(self.api, tls=tls)
        if tls:
            return self.own(httpx.Client(base_url=f"https://localhost:{port.number}",
                                         verify=self.trust(), timeout=30))
        return self.own(httpx.Client(base_url=f"http://{port}", timeout=30))

    def test_api(self):
        """JSON, validation errors, its documentation page, a form with an 8 MB file, a chunked
        upload, links with https"""
        import hashlib
        client = self.client(tls=True)
        made = client.post("/items", json={"name": "tea", "price": 2.5})
        self.assertEqual(made.status_code, 201)
        self.assertEqual(made.json(), {"name": "tea", "double": 5.0,
                                       "url": f"{client.base_url}/items"})
        self.assertEqual(client.post("/items", json={"name": "tea"}).status_code, 422)
        self.assertIn("swagger-ui", client.get("/docs").text)
        self.assertIn("/upload", client.get("/openapi.json").json()["paths"])
        slash = client.post("/items/", json={})
        self.assertEqual(slash.headers["location"], f"{client.base_url}/items")
        body = os.urandom(MEGABYTES << 20)
        sent = client.post("/upload", data={"title": "caf\u00e9"}, files={"file": ("a", body)})
        self.assertEqual(sent.json(), {"title": "caf\u00e9", "size": len(body),
                                       "sha256": hashlib.sha256(body).hexdigest()})
        pieces = client.post("/stream", content=(b"x" * 10000 for _ in range(300)))
        self.assertEqual(pieces.json(), 3000000)

    def test_events(self):
        """server-sent events arrive one by one; the application is told when the client leaves"""
        client = self.client()
        with client.stream("GET", "/events") as answer:
            self.assertEqual(answer.headers["content-type"].split(";")[0], "text/event-stream")
            start, seen = time.monotonic(), []
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    seen.append(time.monotonic() - start)
                if len(seen) == 10:
                    break
        self.assertGreater(seen[-1] - seen[0], 0.3)  # not all at once
        self.assertEqual(sum(b - a < 0.001 for a, b in zip(seen, seen[1:])), 0)
        end = time.monotonic() + 10
        while client.get("/ended").json() == 0:
            self.assertLess(time.monotonic(), end, "the application was not told")
            time.sleep(0.05)

    def test_events_for_many(self):
        """100 clients with 20 events each, all complete"""
        import httpx
        client, counts = self.client(), []

        def follow():
            with httpx.stream("GET", f"{client.base_url}/events?count=20", timeout=60) as answer:
                counts.append(sum(line.startswith("data:") for line in answer.iter_lines()))
        threads = [threading.Thread(target=follow) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(counts, [20] * 100)

    def test_websocket(self):
        """a WebSocket with a subprotocol over TLS, 1000 messages and one of 500 kB"""
        from websockets.sync.client import connect
        port = self.river_proxy(self.api, tls=True)
        with connect(f"wss://localhost:{port.number}/ws", ssl=self.trust(),
                     subprotocols=["chat"], max_size=None) as chat:
            self.assertEqual(chat.subprotocol, "chat")
            for number in range(1000):
                chat.send(f"message {number}")
                self.assertEqual(chat.recv(30), f"MESSAGE {number}")
            chat.send("a" * 500000)
            self.assertEqual(chat.recv(30), "A" * 500000)


if __name__ == "__main__":
    main()
