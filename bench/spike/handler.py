"""What the spike does in Python, in a worker as in the server process: an environ comes in, a response goes out."""

import importlib
import io
import marshal
import sys

ALWAYS = {
    "SCRIPT_NAME": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def load(name):
    """The handler of the application `module:callable`."""
    module, _, attribute = name.partition(":")
    app = getattr(importlib.import_module(module), attribute)

    def handle(request):
        environ = ALWAYS | marshal.loads(request)
        environ["wsgi.input"] = io.BytesIO()
        head = None

        def start_response(status, headers, exc_info=None):
            nonlocal head
            lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
            head = f"HTTP/1.1 {status}\r\n{lines}\r\n"

        result = app(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return head.encode("latin-1") + body

    return handle
