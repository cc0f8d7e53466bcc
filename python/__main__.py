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


def ignore_signals():
    """SIGHUP and SIGUSR1, sent to all processes of a server, are for the server. An application may set its own.

    Not SIG_IGN, which the programs that the application starts would inherit.
    """
    import signal

    for each in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(each, lambda *_: None)
        signal.siginterrupt(each, False)  # libraries in C need not know of them


# A process that the application starts may load this file, too, as anyio.to_process does under the name "__mp_main__".
if __name__ == "__main__":
    if sys.version_info < (3, 9):
        refuse()
    else:
        ignore_signals()
        from sallyport.worker import main

        main()
