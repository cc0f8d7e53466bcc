"""Large bodies: counts what comes in, gives as many bytes as the query asks for."""

PIECE = b"x" * 65536


def app(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"]
        count = sum(len(piece) for piece in iter(lambda: body.read(65536), b""))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(count).encode("ascii")]
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))])
    return (PIECE for _ in range(size // len(PIECE)))
