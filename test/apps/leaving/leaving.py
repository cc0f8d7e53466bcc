"""Answers the first bytes of each connection and closes it, whatever else is sent.

Usage: leaving.py ADDRESS ANSWER FOLDER SKIPPED. ADDRESS is a port of 127.0.0.1 (0: a free one) or the path of a Unix
socket; ANSWER is in hexadecimal; the first SKIPPED connections are closed without it. Prints the port or path once it
listens. A file "read" in FOLDER says that bytes have come, "go" is waited for, "closed" says that the connection is.
"""

import os
import socket
import sys
import time

address, answer, folder, skipped = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3], int(sys.argv[4])


def note(name):
    open(os.path.join(folder, name), "w").close()


def leave(connection):
    # One byte: the rest is never read, so that closing resets a TCP connection.
    connection.recv(1)
    note("read")
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.002)
    connection.sendall(answer)
    connection.close()
    note("closed")


family, place = (socket.AF_INET, ("127.0.0.1", int(address))) if address.isdigit() else (socket.AF_UNIX, address)
with socket.socket(family) as listening:
    listening.bind(place)
    listening.listen()
    print(listening.getsockname()[1] if address.isdigit() else address, flush=True)
    for _ in range(skipped):
        listening.accept()[0].close()
    while True:
        leave(listening.accept()[0])
