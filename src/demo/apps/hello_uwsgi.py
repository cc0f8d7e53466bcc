"""uwsgi: this program is started once and stays. Each request is a connection: a packet of variables, then the body.

The application's half by hand. Its argument is the path of the Unix socket to listen on.
"""

import os
import socket
import struct
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
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()


def texts(packet):
    """Names and values in turn, each with its length, two bytes, before it."""
    at = 0
    while at < len(packet):
        (size,) = struct.unpack_from("<H", packet, at)
        yield packet[at + 2 : at + 2 + size].decode("latin-1")
        at += 2 + size


def serve(file):
    head = file.read(4)
    if len(head) < 4:
        return  # the server has left
    _, size, _ = struct.unpack("<BHB", head)  # modifier 1, size of the packet, modifier 2
    words = list(texts(file.read(size)))
    variables = dict(zip(words[::2], words[1::2]))
    body = file.read(int(variables.get("CONTENT_LENGTH") or 0))
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
