"""wsgi.file_wrapper around files good and bad (PEP 3333; edge case W11)."""

import io
import os

from .pages import PAGES, PLAIN, page, record


class File:
    """A file-like object that records its close()."""

    def __init__(self, data, fails_after=None):
        self.data = io.BytesIO(data)
        self.fails_after = fails_after

    def read(self, size=-1):
        if self.fails_after is not None and self.data.tell() >= self.fails_after:
            raise OSError("the disk is gone")
        return self.data.read(size)

    def close(self):
        record("close")


def wrapped(name, make, length=None):
    def answer(environ, start_response):
        extra = [] if length is None else [("Content-Length", str(length))]
        start_response("200 OK", list(PLAIN) + extra)
        return environ["wsgi.file_wrapper"](make(), 1024)

    PAGES["/" + name] = answer


wrapped("file", lambda: open(__file__, "rb"))  # noqa: SIM115 (the server closes it)
wrapped("file-object", lambda: File(b"z" * 5000))
wrapped("file-with-length", lambda: File(b"z" * 5000), 5000)
wrapped("file-shorter-than-length", lambda: File(b"z" * 10), 5000)
wrapped("file-longer-than-length", lambda: File(b"z" * 5000), 10)
wrapped("file-read-fails", lambda: File(b"z" * 5000, fails_after=2048))
wrapped("file-without-close", lambda: io.BytesIO(b"z" * 5000))
wrapped("file-empty", lambda: File(b""))
wrapped("file-not-a-file", lambda: object())


@page
def file_after_seek(environ, start_response):
    """A file is sent from where it stands."""
    file = open(__file__, "rb")  # noqa: SIM115 (the server closes it)
    file.seek(0, os.SEEK_END)
    file.seek(file.tell() - 8)
    start_response("200 OK", list(PLAIN))
    return environ["wsgi.file_wrapper"](file)
