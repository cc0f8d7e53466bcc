"""Blocks its thread, or its event loop, at /wait?FILE until FILE is there, at /work?SECONDS for so long. Answers a
body's SHA-256.
"""

import hashlib
import os
import time


def _wait(file):
    with open(file + ".begun", "x"):
        pass
    while not os.path.exists(file):
        time.sleep(0.001)


_ACTS = {"/wait": _wait, "/work": lambda seconds: time.sleep(float(seconds))}


def _act(path, query):
    if path in _ACTS:
        _ACTS[path](query)


def app(environ, start_response):
    _act(environ["PATH_INFO"], environ["QUERY_STRING"])
    digest = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(digest)))])
    return [digest]


async def asgi_app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    _act(scope["path"], scope["query_string"].decode())
    digest, more = hashlib.sha256(), True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": digest.hexdigest().encode()})
