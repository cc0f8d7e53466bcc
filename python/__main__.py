"""Started by the server as `python DIRECTORY`: the interpreter's end of the link.

Python 2.7 must be able to read this file: it says that the interpreter is too old.
"""

import sys


def refuse():
    """Sends FAILED (sallyport/link.py) by hand."""
    import json
    import os
    import struct

    found = (sys.executable, sys.version.split()[0])
    message = "%s is Python %s, and Sallyport needs 3.9 or newer; name another with --python" % found
    failure = json.dumps({"code": "PYTHON_NOT_FOUND", "message": message, "detail": ""}).encode("ascii")
    os.write(3, struct.pack("<IIB", len(failure), 0, 66) + failure)
    sys.exit(1)


if sys.version_info < (3, 9):
    refuse()
else:
    from sallyport.worker import main

    main()
