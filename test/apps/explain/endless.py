"""Answers of which more comes than a head and a body."""

import asyncio


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    if scope["path"] == "/hint":
        await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    headers = [(b"content-length", b"2")] if scope["path"] == "/hint" else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/hint":
        return await send({"type": "http.response.body", "body": b"ok"})
    while True:
        piece = b"x" * 100_000 if scope["path"] == "/flood" else b"data: x\n\n"
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0 if scope["path"] == "/flood" else 0.1)
