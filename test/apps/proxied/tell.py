"""Tells, as JSON, what a WSGI and an ASGI application get to know of their client."""

import json

NAMES = ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "HTTPS", "SCRIPT_NAME", "PATH_INFO")


def environ(environ, start_response):
    told = {name: environ.get(name) for name in (*NAMES, "wsgi.url_scheme")}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


async def scope(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    told = {name: scope.get(name) for name in ("client", "server", "scheme", "root_path", "path")}
    told["host"] = dict(scope["headers"]).get(b"host", b"").decode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
