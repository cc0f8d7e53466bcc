"""SCGI: this program is started once and stays. Each request is a connection: a netstring of variables, then the body.

The application's half by hand. Its argument is the path of the Unix socket to listen on.
"""

import os
import socket
import sys
import time
from urllib.parse import parse_qs

answered = 0


def answer(variables, body):
    global answered
    answered += 1
    query = parse_qs(variables["QUERY_STRING"])
    name = query.get("name", ["world"])[0]
    if "wait" in query:
        time.sleep(1)
    text = (
        f"Hello, {name}!\n"
        f"Your request has a body of {len(body)} bytes.\n"
        f"I am process {os.getpid()}, and this is request {answered} that I answer.\n"
    )
    return b"Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()


def serve(file):
    digits = b""
    while (byte := file.read(1)) != b":":  # the netstring begins with its length: "70:"
        if not byte.isdigit():
            return  # the server has left, or this is no SCGI
        digits += byte
    words = file.read(int(digits)).decode("latin-1").split("\0")  # name, value, name, value, ..., ""
    if file.read(1) != b",":
        return
    variables = dict(zip(words[::2], words[1::2]))
    body = file.read(int(variables["CONTENT_LENGTH"]))
    file.write(answer(variables, body))
    file.flush()  # and the end of the connection is the end of the answer


listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(64)
while True:
    connection, _ = listening.accept()
    try:
        with connection, connection.makefile("rwb") as file:
            serve(file)
    except ConnectionError:
        pass  # the server has left
