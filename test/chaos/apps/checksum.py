"""What several applications here answer: so that no answer can be taken for another's."""

import zlib


def answer(body, query):
    """The body's checksum and length, and the id of the request, as bytes."""
    return f"{zlib.crc32(body)} {len(body)} {query}".encode()


async def read_body(receive):
    """The whole body of an ASGI request; None when the client has left."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
