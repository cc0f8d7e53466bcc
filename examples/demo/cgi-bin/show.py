#!/usr/bin/env python3
"""The demonstration application as a CGI program in Python: shows its environment and its standard input."""

import os
import sys
from html import escape

PAGE = """Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>CGI in Python</title><link rel="stylesheet" href="/style.css"></head><body>
<p><a href="/">all doors</a></p>
<h1>CGI in Python</h1>
<p class="lead">A process for each request; process {pid} was handed:</p>
<h2>Environment</h2>
<table>{rows}</table>
<h2>Standard input</h2>
<form method="post"><input name="text" value="a request body"><button>Send</button></form>
<pre>{body}</pre>
</body></html>
"""

body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0))
rows = "".join(
    f"<tr><th>{escape(name.decode('utf-8', 'replace'))}</th><td>{escape(value.decode('utf-8', 'replace'))}</td></tr>"
    for name, value in sorted(os.environb.items())
)
page = PAGE.format(pid=os.getpid(), rows=rows, body=escape(body.decode("utf-8", "replace")) or "(empty)")
sys.stdout.buffer.write(page.encode())
