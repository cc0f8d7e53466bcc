#!/usr/bin/python3
# Says as whom, within which limits, and with which environment it runs: WSGI, ASGI, and a CGI program.
import json
import os
import sys


def report(body=0):
    with open("/proc/self/status") as status, open("/proc/self/limits") as limits:
        proc = status.read() + limits.read()
    umask = os.umask(0)
    os.umask(umask)
    facts = {"proc": proc, "umask": umask, "env": dict(os.environ), "cwd": os.getcwd(), "body": body}
    return json.dumps(facts).encode()


def wsgi(environ, start_response):
    body = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "application/json")])
    return [report(body)]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("http only")
    body, more = 0, True
    while more:
        message = await receive()
        body += len(message["body"])
        more = message.get("more_body", False)
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    await send(start)
    await send({"type": "http.response.body", "body": report(body)})


if __name__ == "__main__" and "GATEWAY_INTERFACE" in os.environ:
    body = len(sys.stdin.buffer.read())
    sys.stdout.buffer.write(b"Content-Type: application/json\n\n" + report(body))
