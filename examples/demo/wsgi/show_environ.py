"""The demonstration application as WSGI (PEP 3333): shows the environ it was called with."""

import os
from html import escape

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>WSGI</title><link rel="stylesheet" href="/style.css"></head><body>
<p><a href="/">all doors</a></p>
<h1>WSGI</h1>
<p class="lead">A Python process that stays; this callable was handed:</p>
<h2>environ</h2>
<table>{rows}</table>
<h2>wsgi.input</h2>
<form method="post"><input name="text" value="a request body"><button>Send</button></form>
<pre>{body}</pre>
</body></html>
"""


def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    rows = "".join(
        f"<tr><th>{show(name)}</th><td>{show(value)}</td></tr>"
        for name, value in sorted(environ.items())
        if name not in os.environ
    )
    page = PAGE.format(rows=rows, body=escape(body.decode("utf-8", "replace")) or "(empty)").encode()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))])
    return [page]


def show(value):
    """Native strings of WSGI hold bytes as latin-1 characters; here they are read as UTF-8."""
    if not isinstance(value, str):
        return escape(repr(value))
    return escape(value.encode("latin-1", "replace").decode("utf-8", "replace"))
