"""HTTP exchanges: what `receive` gives, and when. (ASGI HTTP 2.5)"""

from collections import deque

from ..link import BODY, BODY_END, WINDOW
from .link import LoopLink
from .response import Response


class Http(Response):
    """One request. Its body is here (`_whole`), or arrives in pieces as they are asked for."""

    # Pieces that no one has taken yet; None where there are not, or no longer, any to come.
    _pieces = None
    _ended = False
    # Bytes asked for that have not been taken.
    _asked = 0

    def __init__(self, link: LoopLink, id: int, scope: dict, body: "bytes | None", takes_trailers: bool) -> None:
        self.link = link
        self.id = id
        self.scope = scope
        self.steps = self.NEW
        # The whole body until the application takes it; None then, and where it arrives in pieces.
        self._whole = body
        if body is None:
            self._pieces = deque()
        if scope["method"] == "HEAD":
            self._bodyless = True
        if takes_trailers:
            self._takes_trailers = True

    async def receive(self) -> dict:
        """ASGI's receive: the body, then, whenever that will be, the end."""
        if self._whole is not None and self._listening():
            body, self._whole = self._whole, None
            return {"type": "http.request", "body": body, "more_body": False}
        while self._listening():
            if self._pieces is not None:
                message = self._piece()
                if message:
                    return message
            elif self._leaving:
                break
            await self._news()
        await self._repeated()
        return {"type": "http.disconnect"}

    def _listening(self) -> bool:
        return self.cancelled is None and self.steps is not self.COMPLETE

    def _piece(self) -> "dict | None":
        """The next piece if it is here; asks for more while there is room for it."""
        if not self._ended and self._asked <= WINDOW // 2:
            self._want(WINDOW - self._asked)
            self._asked = WINDOW
        if not self._pieces and not self._ended:
            return None
        piece = self._pieces.popleft() if self._pieces else b""
        self._asked -= len(piece)
        more = bool(self._pieces) or not self._ended
        if not more:
            self._pieces = None
        return {"type": "http.request", "body": piece, "more_body": more}

    def _arrived(self, kind: int, payload: bytes) -> None:
        if self._pieces is None:
            return
        elif kind == BODY:
            self._pieces.append(payload)
        elif kind == BODY_END:
            self._ended = True


class FileHttp(Http):
    """One that is offered http.response.pathsend.

    Only where that was asked for: middleware that rewrites bodies, or waits for them, meets a message that it does not
    know wherever Starlette's FileResponse sees the extension.
    """

    HEADED = {"http.response.pathsend": Response._path, **Response.HEADED}
