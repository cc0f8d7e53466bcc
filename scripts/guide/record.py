"""Calls a WSGI or ASGI application with what it would be handed (JSON on standard input), and writes what passed between
the two halves, in order, as JSON: `by` says which half spoke, `text` what it said, as Python writes it."""

import ast
import asyncio
import io
import json
import runpy
import sys

calls = []


def told(by, text):
    calls.append({"by": by, "text": text})


class Input(io.BytesIO):
    def read(self, *size):
        data = super().read(*size)
        told("application", "environ['wsgi.input'].read()")
        told("server", repr(data))
        return data


def wsgi(app, values, body):
    def start_response(status, headers, exc_info=None):
        told("application", f"start_response({status!r}, {headers!r})")

    environ = {name: value for name, value in values if not name.startswith("wsgi.")}
    told("server", "app(environ, start_response)")
    told("application", f"return {list(app({**environ, 'wsgi.input': Input(body)}, start_response))!r}")


def literals(values):
    """What is written as a Python value; `state` and the like are descriptions."""
    for name, text in values:
        try:
            yield name, ast.literal_eval(text)
        except (ValueError, SyntaxError):
            pass


def asgi(app, values, body):
    async def receive():
        event = {"type": "http.request", "body": body, "more_body": False}
        told("application", "await receive()")
        told("server", repr(event))
        return event

    async def send(event):
        told("application", f"await send({event!r})")

    told("server", "await app(scope, receive, send)")
    asyncio.run(app(dict(literals(values)), receive, send))


asked = json.load(sys.stdin)
application = runpy.run_path(sys.argv[1])["app"]
{"wsgi": wsgi, "asgi": asgi}[asked["interface"]](application, asked["values"], asked["body"].encode())
json.dump(calls, sys.stdout)
