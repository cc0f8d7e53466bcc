#!/usr/bin/env -S python3 -SE
"""The reference application of the conformance suite for CGI: a process for each request."""

import _signal as signal  # the module `signal` imports others, for each request
import _thread
import os
import sys

from behaviour import PIECE, SideChannel, announced, data, describe, pairs, read_all, read_script

OUT = sys.stdout.buffer


def main():
    environ = {name.decode("latin-1"): value.decode("latin-1") for name, value in os.environb.items()}
    script = read_script(environ)
    channel = SideChannel(script["notes"])
    HANDLERS[script["kind"]](environ, script, channel)


def give_head(script):
    status, reason = script.get("status", 200), script.get("reason", "")
    lines = [f"Status: {status} {reason}".strip()]
    lines += [f"{name}: {value}" for name, value in pairs(script.get("headers", []))]
    OUT.write("\n".join(lines).encode("latin-1") + b"\n\n")


def give(piece):
    OUT.write(piece)
    OUT.flush()


def answer(environ, script, channel):
    give_head(script)
    give(data(script.get("body", "")))


def stream(environ, script, channel):
    give_head(script)
    OUT.flush()
    for number, piece in enumerate(script["pieces"], 1):
        give(data(piece))
        if script.get("gated"):
            channel.see(f"piece-{number}")
    if script.get("ending") == "fail":
        # With no more than an exit status a program may also say that it is displeased.
        os.kill(os.getpid(), signal.SIGKILL)


def echo(environ, script, channel):
    give_head({"headers": ["Content-Type", "application/octet-stream"]})
    left = announced(environ) or 0
    while left and (piece := sys.stdin.buffer.read1(min(65536, left))):
        left -= len(piece)
        give(piece)


def describe_request(environ, script, channel):
    size = read_all(sys.stdin.buffer, announced(environ) or 0)
    give_head({"headers": ["Content-Type", "application/json"]})
    give(describe(environ, size))


def fail(environ, script, channel):
    raise RuntimeError("told to fail")


def absorb(environ, script, channel):
    when_left(channel)
    length = announced(environ) or 0
    size = read_all(sys.stdin.buffer, length, channel)
    if size < length:
        left(channel)
    channel.add("complete")
    give_head({"headers": ["Content-Type", "text/plain"]})
    give(str(size).encode())


def endless(environ, script, channel):
    when_left(channel)
    give_head({"headers": ["Content-Type", "text/plain"]})
    try:
        while True:
            give(PIECE)
            channel.add("pieces")
    except BrokenPipeError:
        left(channel)


def hang(environ, script, channel):
    when_left(channel)
    channel.add("running")
    while True:
        signal.pause()


def when_left(channel):
    """A server ends a program that nobody waits for any more.

    In a thread: Python runs a signal handler after the system call that was interrupted, and a signal that comes just
    before the call interrupts nothing.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    _thread.start_new_thread(await_end, (channel,))


def await_end(channel):
    signal.sigwait({signal.SIGTERM})
    left(channel)


def left(channel):
    channel.add("left")
    os._exit(0)


HANDLERS = {
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
