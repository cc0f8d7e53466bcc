"""Notes each run of the request NAME in the file of the query, `FILE NAME`, by WSGI (`app`) and by ASGI (`coroutine`).

"slow..." takes some milliseconds, "die" ends the process.
"""

import asyncio
import os
import signal
import time
from urllib.parse import unquote


def noted(query):
    file, _, name = unquote(query).partition(" ")
    if file:
        with open(file, "a") as notes:
            notes.write(name + "\n")
    return name


def app(environ, start_response):
    name = noted(environ["QUERY_STRING"])
    if name.startswith("slow"):
        time.sleep(0.005)
    if name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


async def coroutine(scope, receive, send):
    if scope["type"] != "http":
        return
    query = scope["query_string"].decode()
    if query.endswith("die"):
        # What was answered before has left by then.
        await asyncio.sleep(0.05)
    if noted(query) == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
