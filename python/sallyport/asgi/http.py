"""HTTP exchanges: the messages that `receive` returns (ASGI HTTP 2.5)."""

from collections import deque

from ..link import BODY, BODY_END, WINDOW
from .link import LoopLink
from .response import Response


class Http(Response):
    """One request. Its body came with it (`_whole`), or arrives in pieces as it is asked for."""

    # Pieces that the application has not taken yet; None if no pieces are to come (any more).
    _pieces = None
    _ended = False
    # Bytes asked for that have not been taken.
    _asked = 0

    def __init__(self, link: LoopLink, id: int, scope: dict, body: "bytes | None", takes_trailers: bool) -> None:
        self.link = link
        self.id = id
        self.scope = scope
        self.steps = self.NEW
        # The whole body until the application takes it; None afterwards, or if it arrives in pieces.
        self._whole = body
        if body is None:
            self._pieces = deque()
        if scope["method"] == "HEAD":
            self._bodyless = True
        if takes_trailers:
            self._takes_trailers = True

    async def receive(self) -> dict:
        """ASGI's receive: the body, and then, once it has come, the end."""
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
            await self._changed()
        await self._show_end()
        return {"type": "http.disconnect"}

    def _listening(self) -> bool:
        return self.cancelled is None and self.steps is not self.COMPLETE

    def _piece(self) -> "dict | None":
        """The next piece if it has arrived; asks for more while there is room for it."""
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
    """A request with the extension http.response.pathsend.

    By configuration only: wherever Starlette's FileResponse sees the extension, it sends a message that is unknown to
    middleware which rewrites bodies or waits for them.
    """

    HEADED = {"http.response.pathsend": Response._path, **Response.HEADED}
