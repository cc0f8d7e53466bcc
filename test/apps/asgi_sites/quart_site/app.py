"""Quart: Flask's words over ASGI, with streams in both directions and a WebSocket."""

import hashlib
import sys

from quart import Quart, jsonify, render_template_string, request, websocket

app = Quart(__name__)


@app.before_serving
async def begin():
    app.greeting = "hello from before_serving"


@app.after_serving
async def end():
    print("told: shutdown", file=sys.stderr, flush=True)


@app.get("/hello/<name>")
async def hello(name):
    return await render_template_string("Hello, {{ name }}! {{ greeting }}", name=name, greeting=app.greeting)


@app.post("/form")
async def form():
    return jsonify((await request.form).to_dict(flat=False))


@app.post("/digest")
async def digest():
    """The body as it comes, never whole in memory."""
    seen, size = hashlib.sha256(), 0
    async for piece in request.body:
        seen.update(piece)
        size += len(piece)
    return {"size": size, "sha256": seen.hexdigest()}


@app.get("/stream")
async def stream():
    async def lines():
        for number in range(1000):
            yield b"line %d\n" % number

    return lines(), {"Content-Type": "text/plain"}


@app.get("/boom")
async def boom():
    raise RuntimeError("boom in a view")


@app.websocket("/upper")
async def upper():
    while True:
        await websocket.send((await websocket.receive()).upper())
