"""Says what it was asked, as CGI variables, and how long the body was; /stream does so without a Content-Length."""


def application(environ, start_response):
    length = 0
    body = environ["wsgi.input"]
    while piece := body.read(65536):
        length += len(piece)
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_HOST", "HTTP_X_ONE", "CONTENT_TYPE")
    lines = [f"{name}={environ.get(name, '')}" for name in names] + [f"read={length}"]
    answer = "\n".join(lines).encode("latin-1")
    headers = [("Content-Type", "text/plain"), ("X-Two", "2")]
    if environ["PATH_INFO"] != "/stream":
        headers.append(("Content-Length", str(len(answer))))
    start_response("207 Said", headers)
    return [answer[:10], answer[10:]]
