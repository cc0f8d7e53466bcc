"""FastCGI: this program is started once and stays. Requests come as records on a connection that stays, too.

The application's half by hand. Descriptor 0 is the socket that it listens on (FastCGI 1.0, section 2.2).
"""

import os
import socket
import struct
import time
from urllib.parse import parse_qs

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, UNKNOWN_TYPE = 1, 3, 4, 5, 6, 11
HEAD = struct.Struct(">BBHHBB")  # version, type, request id, length of the content, of the padding, reserved
answered = 0


def pairs(data):
    """Names and values: two lengths, of one byte or of four, and then both (section 3.4)."""
    at = 0
    while at < len(data):
        sizes = []
        for _ in range(2):
            wide = data[at] > 127
            size = data[at : at + 4] if wide else data[at : at + 1]
            sizes.append(int.from_bytes(size, "big") & (0x7FFFFFFF if wide else 0x7F))
            at += len(size)
        name, value = data[at : at + sizes[0]], data[at + sizes[0] : at + sum(sizes)]
        at += sum(sizes)
        yield name.decode("latin-1"), value.decode("latin-1")


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
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()


def send(out, kind, request, content):
    for at in range(0, len(content) or 1, 65535):
        part = content[at : at + 65535]
        out.write(HEAD.pack(1, kind, request, len(part), 0, 0) + part)


def serve(connection):
    """The requests of one connection, one after the other."""
    file = connection.makefile("rwb")
    streams, keep = {}, 0
    while len(head := file.read(8)) == 8:
        _, kind, request, size, padding, _ = HEAD.unpack(head)
        content = file.read(size + padding)[:size]
        if request == 0:  # a question about the application, such as GET_VALUES: not known here
            send(file, UNKNOWN_TYPE, 0, bytes([kind]) + bytes(7))
        elif kind == BEGIN_REQUEST:
            streams, keep = {PARAMS: b"", STDIN: b""}, content[2] & 1
        elif kind in streams:
            streams[kind] += content
            if kind == STDIN and not content:  # the empty record: the request is complete
                send(file, STDOUT, request, answer(dict(pairs(streams[PARAMS])), streams[STDIN]))
                send(file, STDOUT, request, b"")
                send(file, END_REQUEST, request, bytes(8))
                if not keep:
                    return file.flush()
        file.flush()


listening = socket.socket(fileno=0)
while True:
    connection, _ = listening.accept()
    try:
        with connection:
            serve(connection)
    except ConnectionError:
        pass  # the server has left
