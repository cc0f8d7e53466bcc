"""Finished answers on their way to the front, several in one write, and none of them lost should this process die.

What waits lies in memory that the front can read as well: a file without a name that it handed to us. When we die,
or are inside a request for longer, the front takes from there what was finished. docs/link.md has the layout;
src/workers/outbox.ts is the front's end.
"""

import mmap
import os
import socket
import struct

# Two positions in the stream of all bytes sent: where what waits begins, and where it ends. Then the request that the
# application was called for last (where it is called for one after the other), and how many bytes were read.
_POSITIONS = struct.Struct("<QQ")
_NUMBER = struct.Struct("<Q").pack_into
_START, _END, _INSIDE, _TAKEN, _SIZE = 0, 8, 16, 24, 32
# So many answers, or bytes, leave at once, so that front and worker are both at work.
_ANSWERS = 8
_BYTES = 32_768


class Outbox:
    """Frames out. One thread's; what `hold` was given leaves with the next `send`, or with `flush`."""

    def __init__(self, sock: socket.socket, descriptor: int) -> None:
        """`descriptor` is that of the file, and the outbox's from now on."""
        self._sendall = sock.sendall
        self._memory = mmap.mmap(descriptor, 0)
        os.close(descriptor)
        self._view = memoryview(self._memory)
        self._start = self._end = 0
        # Answers that wait, and where the next one goes.
        self._held = 0
        self._at = _SIZE
        os.register_at_fork(after_in_child=self._part)

    def _part(self) -> None:
        """A fork of the application's that comes back into our loop writes to nobody's memory."""
        self._memory = bytearray(_SIZE + _BYTES)
        self._view = memoryview(self._memory)

    def begin(self, id: int) -> None:
        """The application is about to be called: should we die, this request is not for another worker."""
        _NUMBER(self._memory, _INSIDE, id)

    def took(self, total: int) -> None:
        """So many bytes have been read from the link in all: requests behind them are for another worker."""
        _NUMBER(self._memory, _TAKEN, total)

    def hold(self, frame: bytes) -> None:
        """Sends `frame` soon: at the latest when we wait for the front."""
        at = self._at
        end = at + len(frame)
        if end > _BYTES:
            return self.send(frame)
        memory = self._memory
        memory[at:end] = frame
        self._at = end
        self._end += end - at
        _NUMBER(memory, _END, self._end)  # only now is it there
        self._held += 1
        if self._held == _ANSWERS:
            self.flush()

    def send(self, frame: bytes) -> None:
        """Sends what waits, and `frame`."""
        if self._held and self._at + len(frame) <= _BYTES:
            self.hold(frame)
            return self.flush()
        self.flush()
        self._sendall(frame)
        # The start first: a beginning after the end is nothing at all to whoever reads in between.
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
    """The same where there is no such memory: nothing ever waits."""

    def __init__(self, sock: socket.socket) -> None:
        self.hold = self.send = sock.sendall

    def begin(self, id: int) -> None:
        pass

    def took(self, total: int) -> None:
        pass

    def flush(self) -> None:
        pass
