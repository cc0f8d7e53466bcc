"""What responses hold until they are closed: objects, and files."""

import gc
import os
import resource

# Of so many files a quarter may be held by open responses.
resource.setrlimit(resource.RLIMIT_NOFILE, (400, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
TEXT = b"as long as was announced"
LENGTH = [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))]
opened = set()
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


def app(environ, start_response):
    page = environ["PATH_INFO"]
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
