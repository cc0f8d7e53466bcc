"""Notes each run of the request NAME in the file of the query, `FILE NAME`.

"slow..." takes some milliseconds, "die" ends the process.
"""

import os
import signal
import time
from urllib.parse import unquote


def app(environ, start_response):
    file, _, name = unquote(environ["QUERY_STRING"]).partition(" ")
    if file:
        with open(file, "a") as notes:
            notes.write(name + "\n")
    if name.startswith("slow"):
        time.sleep(0.005)
    if name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
