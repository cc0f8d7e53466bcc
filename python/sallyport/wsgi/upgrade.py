"""A request that asks for a WebSocket, in a worker with threads: the application may take its socket.

PEP 3333 knows no WebSockets. Libraries that offer them to WSGI applications (simple-websocket, which Flask-Sock and
Flask-SocketIO use) take the client's socket from `gunicorn.socket` in the environ, write the answer to the handshake
and frames to it, and read the client's frames. Here that is one end of a pair. What passes the other end goes over the
link, and the server makes messages of it (src/websocket/raw-socket.ts): so the client's connection may be any.

An application that has taken the socket ends by StopIteration (as under gunicorn), or returns what nobody needs.

Tested by test/protocols/wsgi/websockets.test.ts.
"""

from collections import deque
from socket import MSG_DONTWAIT, MSG_PEEK, SHUT_RD, SHUT_RDWR, SHUT_WR, socket, socketpair
from threading import Lock, Thread

from .. import forks
from ..failures import ProtocolError, abort_payload
from ..link import ABORT, CANCEL, CHUNK, DONE, PIECE, SWITCHED, WANT
from ..stream import Disconnected
from .response import NOTHING, Response

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

# How an application ends that has taken the socket: as libraries do, without a response, or as the client has left.
_ENDS = (StopIteration, ProtocolError, OSError)


class Upgrade(Response):
    """Either a response, or bytes of the socket: what comes first decides."""

    # None until it is decided.
    _taken: "bool | None" = None
    # Our end of the pair, and the application's.
    _ours: "socket | None" = None
    _theirs: "socket | None" = None
    _error: "BaseException | None" = None

    def __init__(self, driver: object, id: int, server: object) -> None:
        super().__init__(driver, id, server)
        self._deciding = Lock()
        self._threads: "list[Thread]" = []

    def run(self, environ: dict) -> None:
        super().run(environ)
        if self._ours:
            self._end_socket()

    def receive(self, kind: int, payload: bytes) -> None:
        super().receive(kind, payload)
        if kind == CANCEL and self._ours and not self._taken:
            _shut(self._ours, SHUT_RDWR)

    def _call(self, environ: dict) -> object:
        self._ours, self._theirs = socketpair()
        if self.cancelled:
            _shut(self._ours, SHUT_RDWR)
        environ["gunicorn.socket"] = self._theirs
        self.pieces = deque()
        self._ask()
        # Two threads: to write to the socket may mean to wait for the application, to read from it for the client.
        self._start(self._collect)
        self._start(self._deliver)
        return super()._call(environ)

    def _start(self, target: object) -> None:
        thread = Thread(target=target, name="sallyport-websocket", daemon=True)
        thread.start()
        self._threads.append(thread)

    # The response, which there is none of once the socket is taken.

    def hold(self, frame: bytes) -> None:
        if not self._is_taken():
            super().hold(frame)

    def send(self, kind: int, payload: bytes = b"") -> None:
        if kind == WANT or not self._is_taken():
            super().send(kind, payload)

    def _answer(self, result: object) -> "Iterator[None]":
        if not self._is_taken():
            return super()._answer(result)
        self._close(result)
        return NOTHING

    def _end_by(self, error: BaseException) -> None:
        if self._is_taken():
            forks.end_if_child(error)
            self._error = None if isinstance(error, _ENDS) else error
        elif self.cancelled and isinstance(error, OSError):
            self.send(DONE)
        else:
            super()._end_by(error)

    def _is_taken(self) -> bool:
        """The application has something to say: what it has written to the socket comes before that."""
        return self._decide(self._taken is None and self._has_bytes())

    def _decide(self, taken: bool) -> bool:
        with self._deciding:
            if self._taken is None:
                self._taken = taken
            return self._taken

    def _has_bytes(self) -> bool:
        try:
            return self._ours is not None and bool(self._ours.recv(1, MSG_PEEK | MSG_DONTWAIT))
        except OSError:
            return False

    # The socket.

    def _collect(self) -> None:
        """What the application writes goes to the server, against CREDIT."""
        ours = self._ours
        if not (ours.recv(1, MSG_PEEK) and self._decide(True)):
            return
        self.driver.send(SWITCHED, self.id)
        try:
            while data := ours.recv(PIECE):
                self._pass_on(data)
        except Disconnected:
            _shut(ours, SHUT_RD)  # the application learns of it with its next write

    def _pass_on(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            size = self.take_credit(len(data) - start)
            self.driver.send(CHUNK, self.id, data[start : start + size])
            start += size

    def _deliver(self) -> None:
        """What the server sends goes to the application, against WANT."""
        try:
            while piece := self.body_piece():
                self._ours.sendall(piece)
        except OSError:
            pass  # the client has left, or the application has closed its end
        _shut(self._ours, SHUT_WR)

    def _end_socket(self) -> None:
        """The application has come to its end: what it has written is sent first, unless the client leaves."""
        if not _shut(self._theirs, SHUT_WR):
            _shut(self._ours, SHUT_RD)  # it has closed its end, which a child of it may still have
        for thread in self._threads[:1]:
            thread.join()
        _shut(self._ours, SHUT_RDWR)
        self.ended = True
        self.driver.look_again()
        for thread in self._threads:
            thread.join()
        self._ours.close()
        if not self._taken:
            self._theirs.close()  # otherwise it is the library's, which may have a thread that reads it
        if self._error:
            self.driver.send(ABORT, self.id, abort_payload(self._error, False))
        elif self._taken:
            self.driver.send(DONE, self.id)


def _shut(end: socket, how: int) -> bool:
    """Whether it was open."""
    try:
        end.shutdown(how)
    except OSError:
        return False
    return True
