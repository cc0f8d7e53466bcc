"""Blocks its thread, or its event loop, at /wait?FILE until FILE is there; at /hog?FILE no other thread runs meanwhile,
but not for ever; at /work?SECONDS for so long. Answers a body's SHA-256.
"""

import ctypes
import hashlib
import os
import sys
import time

_HOGGED = 5.0


def _begin(file):
    with open(file + ".begun", "x"):
        pass


def _wait(file):
    _begin(file)
    while not os.path.exists(file):
        time.sleep(0.001)


def _hog(file):
    """A call by PyDLL keeps the GIL, and so does the loop while nobody may ask for it."""
    _begin(file)
    access, name, end = ctypes.PyDLL(None).access, os.fsencode(file), time.monotonic() + _HOGGED
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    while access(name, 0) and time.monotonic() < end:
        pass
    sys.setswitchinterval(before)


_ACTS = {"/wait": _wait, "/hog": _hog, "/work": lambda seconds: time.sleep(float(seconds))}


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
