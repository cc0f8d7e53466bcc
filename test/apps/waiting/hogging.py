"""At /hog?FILE no other thread runs until FILE is there, or for some seconds."""

import ctypes
import os
import sys
import time

_SECONDS = 1.0
# A call of such a library keeps the GIL.
_access = ctypes.PyDLL(None).access

# A thread keeps the GIL until it waits for something.
sys.setswitchinterval(1000)


def app(environ, start_response):
    if environ["PATH_INFO"] == "/hog":
        name, end = os.fsencode(environ["QUERY_STRING"]), time.monotonic() + _SECONDS
        while _access(name, 0) and time.monotonic() < end:
            pass
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
