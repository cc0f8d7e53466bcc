"""The reference application of the conformance suite, the part that its Python forms share: see src/testing/case.ts.

Environments are dicts of native strings in which each character is one byte, as PEP 3333 has them.
"""

import binascii
import os
import time
from _json import make_scanner


class _Json:
    """What `json.loads` gives to its scanner."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


# The module `json` imports more than all else that a CGI program of ours needs, for each request.
_scan = make_scanner(_Json)
_PATTERN = bytes(range(251))
_PAUSE = 0.005
PIECE = b"endless " * 8192


def read_script(environ):
    """The script of the request: `kind` names the handler, the other members are its parameters."""
    value = environ["HTTP_X_CONFORMANCE"].replace("-", "+").replace("_", "/")
    script, _ = _scan(binascii.a2b_base64(value + "=" * (-len(value) % 4)).decode(), 0)
    return script


def data(data):
    """Bytes of the suite's data: latin-1 text, or `size` bytes of the pattern."""
    if isinstance(data, str):
        return data.encode("latin-1")
    size = data["size"]
    return (_PATTERN * (size // len(_PATTERN) + 1))[:size]


def pairs(flat):
    return list(zip(flat[::2], flat[1::2]))


class SideChannel:
    """Notes between the application and the runner, each a file."""

    def __init__(self, prefix):
        self._prefix = prefix

    def add(self, name):
        # One system call, so that it may be called by a signal handler.
        file = os.open(self._prefix + name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(file, b".")
        os.close(file)

    def see(self, name):
        while not self.is_there(name):
            time.sleep(_PAUSE)

    def is_there(self, name):
        if os.path.exists(self._prefix + name):
            return True
        # The suite removes the directory of the notes when it is over.
        if not os.path.isdir(os.path.dirname(self._prefix)):
            raise RuntimeError("the suite is over")
        return False


def read_all(file, length, channel=None):
    """Reads a body piece by piece; returns its size. `length` is None where it is unknown."""
    size = 0
    while length is None or size < length:
        piece = file.read(65536 if length is None else min(65536, length - size))
        if not piece:
            break
        if channel and size == 0:
            channel.add("received")
        size += len(piece)
    return size


def announced(environ):
    value = environ.get("CONTENT_LENGTH", "")
    return int(value) if value else None


def describe(environ, size):
    """What was seen of the request, as JSON bytes."""
    import json

    mount = environ.get("SCRIPT_NAME", "")
    target = environ["REQUEST_URI"]
    headers = {
        name[5:].lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and name != "HTTP_PROXY"
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    seen = {
        "method": environ["REQUEST_METHOD"],
        "mount": mount,
        "path": environ.get("PATH_INFO", ""),
        "query": environ.get("QUERY_STRING", ""),
        "target": target,
        "scheme": environ.get("REQUEST_SCHEME", "http"),
        "authority": environ.get("HTTP_HOST", ""),
        "remote": environ.get("REMOTE_ADDR", ""),
        "headers": headers,
        "length": announced(environ),
        "size": size,
        "proxied": "HTTP_PROXY" in environ,
        "trailers": {},
    }
    return json.dumps(seen).encode()
