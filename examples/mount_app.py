"""The WSGI application that the examples of mounting mount."""


def application(environ, start_response):
    text = f"Python at {environ['SCRIPT_NAME']} was asked for {environ['PATH_INFO']}\n".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
