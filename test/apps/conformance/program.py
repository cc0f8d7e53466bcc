#!/usr/bin/env -S python3 -SE
"""The application that behaves as the conformance suite says, for CGI: a process for each request."""

import os
import signal
import sys

from behaviour import PIECE, Notes, announced, data, describe, instruction, pairs, read_all

OUT = sys.stdout.buffer


def main():
    environ = {name.decode("latin-1"): value.decode("latin-1") for name, value in os.environb.items()}
    told = instruction(environ)
    notes = Notes(told["notes"])
    WAYS[told["kind"]](environ, told, notes)


def give_head(told):
    status, reason = told.get("status", 200), told.get("reason", "")
    lines = [f"Status: {status} {reason}".strip()]
    lines += [f"{name}: {value}" for name, value in pairs(told.get("headers", []))]
    OUT.write("\n".join(lines).encode("latin-1") + b"\n\n")


def give(piece):
    OUT.write(piece)
    OUT.flush()


def answer(environ, told, notes):
    give_head(told)
    give(data(told.get("body", "")))


def stream(environ, told, notes):
    give_head(told)
    OUT.flush()
    for number, piece in enumerate(told["pieces"], 1):
        give(data(piece))
        if told.get("gated"):
            notes.see(f"piece-{number}")
    if told.get("ending") == "fail":
        # With no more than an exit status a program may also say that it is displeased.
        os.kill(os.getpid(), signal.SIGKILL)


def echo(environ, told, notes):
    give_head({"headers": ["Content-Type", "application/octet-stream"]})
    left = announced(environ) or 0
    while left and (piece := sys.stdin.buffer.read1(min(65536, left))):
        left -= len(piece)
        give(piece)


def describe_request(environ, told, notes):
    size = read_all(sys.stdin.buffer, announced(environ) or 0)
    give_head({"headers": ["Content-Type", "application/json"]})
    give(describe(environ, size))


def fail(environ, told, notes):
    raise RuntimeError("told to fail")


def absorb(environ, told, notes):
    when_left(notes)
    length = announced(environ) or 0
    size = read_all(sys.stdin.buffer, length, notes)
    if size < length:
        left(notes)
    notes.add("complete")
    give_head({"headers": ["Content-Type", "text/plain"]})
    give(str(size).encode())


def endless(environ, told, notes):
    when_left(notes)
    give_head({"headers": ["Content-Type", "text/plain"]})
    try:
        while True:
            give(PIECE)
            notes.add("pieces")
    except BrokenPipeError:
        left(notes)


def hang(environ, told, notes):
    when_left(notes)
    notes.add("running")
    while True:
        signal.pause()


def when_left(notes):
    """A server ends a program that nobody waits for any more."""
    signal.signal(signal.SIGTERM, lambda *_: left(notes))


def left(notes):
    notes.add("left")
    os._exit(0)


WAYS = {
    "answer": answer,
    "stream": stream,
    "echo": echo,
    "describe": describe_request,
    "fail": fail,
    "absorb": absorb,
    "endless": endless,
    "hang": hang,
}

if __name__ == "__main__":
    main()
