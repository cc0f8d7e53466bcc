"""The worker of the spike: worker.py APP FOLDER, with the front at descriptor 3. A frame is length, id, payload."""

import socket
import struct
import sys

from handler import load

FRAME = struct.Struct("<II")

sys.path.insert(0, sys.argv[2])
handle = load(sys.argv[1])
front = socket.socket(fileno=3)
rest = b""
while data := front.recv(1 << 18):
    data = rest + data
    at = 0
    answers = []
    while len(data) - at >= FRAME.size:
        length, request = FRAME.unpack_from(data, at)
        start = at + FRAME.size
        if len(data) - start < length:
            break
        answer = handle(data[start : start + length])
        answers += FRAME.pack(len(answer), request), answer
        at = start + length
    rest = data[at:]
    front.sendall(b"".join(answers))
