"""A WSGI application in this interpreter, and the environ of its requests (PEP 3333).

Tested by test/python/test_wsgi_frames.py.
"""

import sys
from marshal import loads

from ..link import PIECE, REPEAT
from .response import Response


class Server:
    """One application, and the parts of the environ that requests have in common."""

    def __init__(self, app: object, driver: object, constants: "dict[str, str]", threads: int, processes: int) -> None:
        self.app = app
        self._driver = driver
        self.base = {
            **constants,
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": processes > 1,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
        }

        # Common parts of requests, by their numbers.
        self._common_parts: "dict[int, dict]" = {}

    def open(self, id: int) -> Response:
        return Response(self._driver, id, self)

    def open_upgrade(self, id: int) -> Response:
        """The same for a request that asks for a WebSocket."""
        from .upgrade import Upgrade  # most applications never need it

        return Upgrade(self._driver, id, self)

    def learn(self, number: int, payload: bytes) -> None:
        """COMMON: a part that requests of one connection share, and the number of one that it replaces."""
        forgotten, common = loads(payload)
        self._common_parts.pop(forgotten, None)
        self._common_parts[number] = {**self.base, **common}

    def become_multiprocess(self) -> None:
        """MULTIPROCESS: other processes may run the application, too (PEP 3333, "environ Variables")."""
        for part in (self.base, *self._common_parts.values()):
            part["wsgi.multiprocess"] = True

    def environ(self, kind: int, payload: "bytes | memoryview") -> dict:
        """The environ of a REQUEST or a REPEAT; `wsgi.input` is still the body itself, or where it is."""
        if kind != REPEAT:
            return _with_body({**self.base, **loads(payload)}, payload)
        number, method, script_name, path_info, query, uri, rest = loads(payload)
        environ = self._common_parts[number].copy()
        environ["REQUEST_METHOD"] = method
        environ["SCRIPT_NAME"] = script_name
        environ["PATH_INFO"] = path_info
        environ["QUERY_STRING"] = query
        environ["REQUEST_URI"] = uri
        if rest:
            environ.update(rest)
            return _with_body(environ, payload)
        return environ


def _with_body(environ: dict, payload: "bytes | memoryview") -> dict:
    """A large body comes behind what is marshalled, which says how many bytes it has."""
    size = environ.get("wsgi.input")
    if type(size) is int:
        environ["wsgi.input"] = bytes(payload[-size:])
    return environ


class FileWrapper:
    """`wsgi.file_wrapper`: any file-like object, block by block."""

    def __init__(self, file: object, block_size: int = PIECE) -> None:
        self._read = file.read
        self._block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        block = self._read(self._block_size)
        if block:
            return block
        raise StopIteration
