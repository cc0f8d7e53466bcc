"""An application that does what must not be done: it holds its event loop."""

import asyncio
import os
import sys
import time


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    pid = str(os.getpid())
    if scope["path"] == "/hold":
        print(f"told: holding in {pid}", file=sys.stderr, flush=True)
        hold_the_loop(scope["query_string"].decode())
    elif scope["path"] == "/wait":
        await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": pid.encode()})


def hold_the_loop(path):
    """Until the file is there."""
    while not os.path.exists(path):
        time.sleep(0.02)


async def lifespan(receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
