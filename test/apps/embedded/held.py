"""What responses hold until they are closed: objects, and files."""

import atexit
import gc
import os
import resource
import sys
import time

from sallyport.link import COMMON

# Of so many files a quarter may be held by open responses.
resource.setrlimit(resource.RLIMIT_NOFILE, (400, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
TEXT = b"as long as was announced"
LENGTH = [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))]
opened = set()
atexit.register(lambda: print(f"held at the exit: {len(opened)}", file=sys.stderr))
# Bytes beyond what may be sent to a client that takes nothing.
LARGE = 4 << 20


class Closing:
    """As werkzeug's ClosingIterator, or a response of Django's: its end is found out by asking."""

    def __init__(self, block):
        self._blocks = iter([block])
        opened.add(id(self))

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._blocks)

    def close(self):
        opened.discard(id(self))


class Tail(Closing):
    """After the last byte there are many more steps. In the end it may fail."""

    def __init__(self, fails):
        super().__init__(b"")
        self._fails = fails
        self._blocks = iter([b"x" * LARGE, *[b""] * 1000])

    def close(self):
        super().close()
        if self._fails:
            raise ValueError("too late to matter")


class Endless(Closing):
    """The same block for ever."""

    def __init__(self, block, seconds=0):
        super().__init__(b"")
        self._blocks = iter(lambda: time.sleep(seconds) or block, b"")


def _break_link():
    """What our own half never sends."""
    _driver().send(68, 1, bytes(5_000_000))


def _fail_at_next_common_part():
    """As where there is no memory for it."""
    driver = _driver()

    def frame(kind, id, payload, own=driver._frame):
        if kind == COMMON:
            del driver._frame
            raise MemoryError("of the test")
        own(kind, id, payload)

    driver._frame = frame


def _driver():
    return sys.modules["sallyport.embedded.application"]._applications[0]


def _break_after_a_block():
    yield b"x" * 300_000
    _break_link()


def app(environ, start_response):
    page = environ["PATH_INFO"]
    if page == "/endless":
        start_response("200 OK", [])
        return Endless(b"x" * 300_000)
    if page == "/endless-written":
        write = start_response("200 OK", [])
        write(b"x" * LARGE)
        return Endless(b"x")
    if page == "/ticks":
        start_response("200 OK", [])
        return Endless(b"x", 0.003)
    if page == "/break-after-a-block":
        start_response("200 OK", [])
        return _break_after_a_block()
    if page == "/break":
        _break_link()
    if page == "/fail-at-next-common-part":
        _fail_at_next_common_part()
    if page.startswith("/tail"):
        start_response("200 OK", [("Content-Length", str(LARGE))])
        return Tail("fails" in page)
    if page == "/file":
        start_response("200 OK", [("Content-Type", "text/x-python"), ("Content-Length", "100")])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"), 100)
    if page == "/forever":
        start_response("200 OK", [])
        return iter(lambda: b"x" * 65_536, b"")
    start_response("200 OK", LENGTH if page == "/closing" else [])
    if page == "/held":
        return [str(len(opened)).encode()]
    if page == "/objects":
        gc.collect()
        return [str(len(gc.get_objects())).encode()]
    if page == "/files":
        return [str(len(os.listdir("/proc/self/fd"))).encode()]
    return Closing(TEXT)
