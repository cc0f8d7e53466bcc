"""Starlette: files and ranges, middleware, sessions, events, WebSockets, and a page for a real browser."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent


def tell(word):
    """What a test waits for in the log."""
    print(f"told: {word}", file=sys.stderr, flush=True)


class Stamp(BaseHTTPMiddleware):
    """The middleware class whose response goes through streams of its own."""

    async def dispatch(self, request, call_next):
        request.state.stamp = "stamped"
        response = await call_next(request)
        if request.url.path == "/read-by-middleware":
            response = Response(b"".join([piece async for piece in response.body_iterator]))
        response.headers["X-Stamp"] = request.state.stamp
        return response


async def index(request):
    return PlainTextResponse("hello\n")


async def stream(request):
    async def lines():
        for number in range(5):
            yield f"line {number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="text/plain")


async def compressible(request):
    return PlainTextResponse("all work and no play\n" * 500)


async def file(request):
    return FileResponse(HERE / "static" / "numbers.txt", filename="numbers.txt")


async def read_by_middleware(request):
    """A file behind middleware that reads the response's body, as cachers and signers do."""
    return FileResponse(HERE / "static" / "numbers.txt")


async def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JSONResponse(dict(request.session))


async def forget(request):
    request.session.clear()
    return PlainTextResponse("forgotten\n")


async def where(request):
    return JSONResponse({"static": str(request.url_for("static", path="chat.js")), "pid": os.getpid()})


async def wait_for_leaving(request):
    """Sends nothing; asks again and again whether somebody is still there."""
    tell("waiting")
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    tell("is_disconnected")
    return PlainTextResponse("nobody reads this\n")


async def events(request):
    """Beats until the client leaves: `every` seconds, and the comment lines of the library's own heartbeat between."""
    every = float(request.query_params.get("every", "0.05"))
    ping = float(request.query_params.get("ping", "15"))
    name = request.query_params.get("name", "events")

    async def beats():
        number = int(request.headers.get("last-event-id", "-1"))
        try:
            while True:
                number += 1
                yield {"event": "beat", "id": str(number), "data": f"beat {number}"}
                await asyncio.sleep(every)
        finally:
            tell(f"{name} ended")

    return EventSourceResponse(beats(), ping=ping)


async def endless(request):
    """A stream as wide as the client can take."""

    async def pieces():
        try:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)
        finally:
            tell("endless ended")

    return StreamingResponse(pieces(), media_type="application/octet-stream")


async def digest(request):
    """The body as it comes, never whole in memory."""
    seen, size = hashlib.sha256(), 0
    async for piece in request.stream():
        seen.update(piece)
        size += len(piece)
    version = request.scope["http_version"]
    return JSONResponse({"size": size, "sha256": seen.hexdigest(), "version": version})


async def report(request):
    """What the page in the browser has seen."""
    tell(f"browser {(await request.body()).decode('ascii')}")
    return PlainTextResponse("thank you\n")


async def echo_json(socket):
    await socket.accept()
    async for value in socket.iter_json():
        await socket.send_json({"echo": value})
    tell("json left")


async def echo_bytes(socket):
    await socket.accept()
    async for piece in socket.iter_bytes():
        await socket.send_bytes(piece)


async def choosy(socket):
    offered = socket.scope["subprotocols"]
    if "chat.v2" not in offered:
        refusal = JSONResponse({"offered": offered}, status_code=426, headers={"X-Wants": "chat.v2"})
        await socket.send_denial_response(refusal)
        return
    await socket.accept(subprotocol="chat.v2", headers=[(b"x-room", b"lobby")])
    await socket.send_text("welcome")
    await socket.close(4001, "enough, ça suffit")


async def closed_door(socket):
    await socket.close()


talkers = set()


async def talk(socket):
    await socket.accept()
    tell(f"talker over {socket.scope['http_version']}")
    talkers.add(socket)
    try:
        async for text in socket.iter_text():
            for other in list(talkers):
                await other.send_text(text)
    finally:
        talkers.discard(socket)
        tell("talker left")


page = Starlette(
    routes=[
        Route("/", index),
        Route("/stream", stream),
        Route("/compressible", compressible),
        Route("/file", file),
        Route("/read-by-middleware", read_by_middleware),
        Route("/visits", visits),
        Route("/forget", forget),
        Route("/where", where),
        Mount("/static", StaticFiles(directory=HERE / "static", html=True), name="static"),
    ],
    middleware=[
        Middleware(Stamp),
        Middleware(GZipMiddleware, minimum_size=1000),
        Middleware(SessionMiddleware, secret_key="not a secret"),
    ],
)

app = Starlette(
    routes=[
        Route("/wait", wait_for_leaving),
        Route("/events", events),
        Route("/endless", endless),
        Route("/digest", digest, methods=["POST"]),
        Route("/report", report, methods=["POST"]),
        WebSocketRoute("/json", echo_json),
        WebSocketRoute("/bytes", echo_bytes),
        WebSocketRoute("/choosy", choosy),
        WebSocketRoute("/closed", closed_door),
        WebSocketRoute("/talk", talk),
        Mount("/", page),
    ]
)
