"""Finished answers on their way to the server: several in one write, and none lost should this process die.

They wait in memory that the server can read as well: a nameless file that this process has inherited. When it dies, or
takes long for a request, the server takes the finished answers from there. docs/link.md has the layout;
src/workers/outbox.ts is the server's end.
"""

import mmap
import os
import socket
import struct
import threading

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

# Two positions in the stream of all bytes sent: where the waiting bytes begin and end. Then the request that the
# application was called for last, and the number of bytes read. After the waiting bytes comes the last request of each
# thread, of workers that have several.
_POSITIONS = struct.Struct("<QQ")
_NUMBER = struct.Struct("<Q").pack_into
_START, _END, _REQUEST, _BYTES_READ, _SIZE = 0, 8, 16, 24, 32
# Answers that leave in one write: more would leave the server idle meanwhile.
_MAX_ANSWERS = 32


class Outbox:
    """Frames out, of one thread at a time. Those that were given to `hold` leave with the next `send`, or `flush`."""

    def __init__(self, sock: socket.socket, descriptor: int, room: int) -> None:
        """Takes over `descriptor`, that of the file, which has `room` bytes for answers."""
        self._sendall = sock.sendall
        # Where the room for answers ends, and the last requests of threads begin.
        self._limit = _SIZE + room
        self._memory = mmap.mmap(descriptor, 0)
        os.close(descriptor)
        self._view = memoryview(self._memory)
        self._start = self._end = 0
        # Answers that wait, and where the next one goes.
        self._held = 0
        self._at = _SIZE
        os.register_at_fork(after_in_child=self._detach)

    def _detach(self) -> None:
        """A fork of the application's that returns into our loop must not write to the shared memory."""
        self._memory = bytearray(len(self._memory))
        self._view = memoryview(self._memory)

    def begin(self, id: int) -> None:
        """The application is about to be called: should it end this process, no other worker gets the request."""
        _NUMBER(self._memory, _REQUEST, id)

    def begin_in(self, thread: int, id: int) -> None:
        """The same in one of several threads, which are numbered from 0."""
        _NUMBER(self._memory, self._limit + 8 * thread, id)

    def send_by(self, sendall: "Callable[[bytes], None]") -> None:
        """Has `sendall` send from now on."""
        self._sendall = sendall

    def record_read(self, total: int) -> None:
        """`total` bytes have been read from the link: should this process die, another worker gets later requests."""
        _NUMBER(self._memory, _BYTES_READ, total)

    def hold(self, frame: bytes) -> None:
        """Sends `frame` soon: at the latest before the worker waits for the server."""
        at = self._at
        end = at + len(frame)
        if end > self._limit:
            return self.send(frame)
        memory = self._memory
        memory[at:end] = frame
        self._at = end
        self._end += end - at
        _NUMBER(memory, _END, self._end)  # last: until now the server sees none of it
        self._held += 1
        if self._held == _MAX_ANSWERS:
            self.flush()

    def send(self, frame: bytes) -> None:
        """Sends the frames that wait, and `frame`."""
        if self._held and self._at + len(frame) <= self._limit:
            self.hold(frame)
            return self.flush()
        self.flush()
        self._sendall(frame)
        # The start first: a server that reads in between finds a start after the end, and so no bytes.
        self._start += len(frame)
        self._end = self._start
        _POSITIONS.pack_into(self._memory, 0, self._start, self._end)

    def flush(self) -> None:
        if self._held:
            self._sendall(self._view[_SIZE : self._at])
            self._start = self._end
            _NUMBER(self._memory, _START, self._start)
            self._held = 0
            self._at = _SIZE


class Direct:
    """The same without such memory: no frame ever waits."""

    def __init__(self, sock: socket.socket) -> None:
        self.send_by(sock.sendall)

    def send_by(self, sendall: "Callable[[bytes], None]") -> None:
        self.hold = self.send = sendall

    def begin(self, id: int) -> None:
        pass

    def begin_in(self, thread: int, id: int) -> None:
        pass

    def record_read(self, total: int) -> None:
        pass

    def flush(self) -> None:
        pass


class SharedOutbox:
    """One of these for several threads."""

    def __init__(self, outbox: "Outbox | Direct", sock: socket.socket) -> None:
        outbox.send_by(_sender(sock))
        self._outbox = outbox
        self.begin_in = outbox.begin_in
        self._unlock()
        os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        """Another thread, which a fork does not have, may have held the lock."""
        self._lock = threading.Lock()

    def hold(self, frame: bytes) -> None:
        with self._lock:
            self._outbox.hold(frame)

    def send(self, frame: bytes) -> None:
        with self._lock:
            self._outbox.send(frame)

    def flush(self) -> None:
        with self._lock:
            self._outbox.flush()


def _sender(sock: socket.socket) -> "Callable[[bytes], None]":
    """`sock.sendall`, which gives the GIL away only if the socket is full.

    A thread that gives it away has to queue behind all others to get it back, which takes far longer than the sending.
    """
    try:
        from ctypes import PyDLL, c_char_p, c_int, c_size_t, c_ssize_t

        send = PyDLL(None).send
        flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
    except (ImportError, OSError, AttributeError):
        return sock.sendall
    send.argtypes = c_int, c_char_p, c_size_t, c_int
    send.restype = c_ssize_t
    fileno, sendall = sock.fileno, sock.sendall

    def send_all(frame: "bytes | memoryview") -> None:
        data = bytes(frame)
        sent = send(fileno(), data, len(data), flags)
        if sent < len(data):
            sendall(memoryview(data)[max(0, sent) :])  # waits for room, or raises what is wrong

    return send_all
