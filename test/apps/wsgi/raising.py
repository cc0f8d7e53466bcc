"""Raises what is asked for where it is asked for: /POINT/KIND."""

import asyncio
import os
import sys


class Own(BaseException):
    """An application's own, as gevent and others have them."""


KINDS = {
    kind.__name__: kind
    for kind in (GeneratorExit, KeyboardInterrupt, SystemExit, StopIteration, asyncio.CancelledError, Own, ValueError)
}


class Blocks:
    """Two blocks, and the end of both; raises before the block `at`, or when it is closed."""

    def __init__(self, kind, at):
        self._blocks = iter([b"one ", b"two"])
        self._kind = kind
        self._at = at
        self._asked = 0

    def __iter__(self):
        return self

    def __next__(self):
        self._asked += 1
        if self._asked == self._at:
            raise self._kind("midway")
        return next(self._blocks)

    def close(self):
        if self._at == "close":
            raise self._kind("in close()")


def app(environ, start_response):
    _, point, *rest = environ["PATH_INFO"].split("/")
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if point == "pid":
        return [str(os.getpid()).encode()]
    kind = KINDS[rest[0]]
    if point == "call":
        raise kind("in the call")
    if point == "write":
        write(b"written")
        raise kind("after write()")
    if point == "exc_info":
        write(b"written")
        try:
            raise kind("told of")
        except BaseException:
            start_response("500 Failed", [], sys.exc_info())
    return Blocks(kind, {"first": 1, "later": 2, "last": 3, "close": "close"}[point])
