"""WSGI: the server calls a function. The request is a dictionary; the answer is start_response and a list of bytes."""

import os
import time
from urllib.parse import parse_qs

answered = 0


def application(environ, start_response):
    global answered
    answered += 1
    query = parse_qs(environ["QUERY_STRING"])
    name = query.get("name", ["world"])[0]
    body = environ["wsgi.input"].read()
    if "wait" in query:
        time.sleep(1)
    text = (
        f"Hello, {name}!\n"
        f"Your request has a body of {len(body)} bytes.\n"
        f"I am process {os.getpid()}, and this is request {answered} that I answer.\n"
    )
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]
