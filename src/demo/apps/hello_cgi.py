#!/usr/bin/env python3
"""CGI: the server starts this program for each request, and it ends with its answer.

The head of the request comes as environment variables, the body as standard input. The answer is printed.
"""

import os
import sys
import time
from urllib.parse import parse_qs

query = parse_qs(os.environ["QUERY_STRING"])
name = query.get("name", ["world"])[0]
body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0))

if "wait" in query:
    time.sleep(1)

text = (
    f"Hello, {name}!\n"
    f"Your request has a body of {len(body)} bytes.\n"
    f"I am process {os.getpid()}. I was started for this request, and end with it.\n"
)

print("Content-Type: text/plain; charset=utf-8")
print()
sys.stdout.flush()
sys.stdout.buffer.write(text.encode(errors="replace"))
