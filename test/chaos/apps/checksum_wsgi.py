"""Answers a body's checksum and length, and the id of the request."""

from checksum import answer


def app(environ, start_response):
    text = answer(environ["wsgi.input"].read(), environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
