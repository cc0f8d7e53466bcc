"""Tells what an application is told of the TLS connection of its client, and who the client is."""

import json

NAMES = ("SSL_", "HTTPS", "REMOTE_USER", "AUTH_TYPE")


def variables(environ, start_response):
    told = {name: value for name, value in environ.items() if name.startswith(NAMES)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


async def extension(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP is served")
    body = json.dumps(scope["extensions"].get("tls")).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
