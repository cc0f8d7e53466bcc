"""Applications that answer with everything they were handed: a JSON object of names and texts."""

import json


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    seen = {name: text_of(value) for name, value in environ.items()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"values": seen, "body": body.decode("latin-1")}).encode()]


def text_of(value):
    return value if isinstance(value, str) else repr(value)


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    body = (await receive())["body"]
    seen = {name: repr(value) for name, value in scope.items()}
    answer = json.dumps({"values": seen, "body": body.decode("latin-1")}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})
