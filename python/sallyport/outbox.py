"""Finished answers on their way to the front, several in one write, and none of them lost should this process die.

What waits lies in memory that the front can read as well: a file without a name that it handed to us. When we die,
or are inside a request for longer, the front takes from there what was finished. docs/link.md has the layout;
src/workers/outbox.ts is the front's end.
"""

import mmap
import os
import socket
import struct

# Positions in the stream of all bytes sent: where what waits begins, and where it ends.
_POSITIONS = struct.Struct("<QQ")
_SIZE = _POSITIONS.size
_POSITION = struct.Struct("<Q").pack_into
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
        _POSITION(memory, 8, self._end)  # only now is it there
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
            _POSITION(self._memory, 0, self._start)
            self._held = 0
            self._at = _SIZE


class Direct:
    """The same where there is no such memory: nothing ever waits."""

    def __init__(self, sock: socket.socket) -> None:
        self.hold = self.send = sock.sendall

    def flush(self) -> None:
        pass
