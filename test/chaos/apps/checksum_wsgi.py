"""Answers a body's checksum and length, and the id of the request, so that no answer can be taken for another's."""

import zlib


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    answer = f"{zlib.crc32(body)} {len(body)} {environ['QUERY_STRING']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
