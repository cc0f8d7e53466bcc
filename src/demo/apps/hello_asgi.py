"""ASGI: the server calls a coroutine. The request is a dictionary and events; the answer is events, too.

While one request waits, the event loop serves the others.
"""

import asyncio
import os
from urllib.parse import parse_qs

answered = 0


async def application(scope, receive, send):
    global answered
    assert scope["type"] == "http"
    answered += 1
    number = answered
    query = parse_qs(scope["query_string"].decode("latin-1"))
    name = query.get("name", ["world"])[0]

    size = 0
    more = True
    while more:
        event = await receive()
        size += len(event.get("body", b""))
        more = event.get("more_body", False)

    if "wait" in query:
        await asyncio.sleep(1)
    text = (
        f"Hello, {name}!\n"
        f"Your request has a body of {size} bytes.\n"
        f"I am process {os.getpid()}, and this is request {number} that I answer.\n"
    )
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
