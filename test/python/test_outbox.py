"""How much a worker holds back, and for how long: what has left by the link while the next request is running."""

import marshal
import os
import select
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))

from sallyport import link, outbox, stream, wsgi  # noqa: E402

# Seconds for anything at all: generous, as the machine may be busy.
PATIENCE = 30
POSITIONS = struct.Struct("<QQ")
ROOM = 65_536
# Answers that may wait.
MOST = 32


class Held:
    """An outbox, and what the server sees of it."""

    def __init__(self, test):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(PATIENCE)
        self._memory = tempfile.TemporaryFile()
        self._memory.truncate(32 + ROOM)
        self.outbox = outbox.Outbox(theirs, os.dup(self._memory.fileno()), ROOM)
        self.theirs = theirs
        for each in (self.sock, theirs, self._memory):
            test.addCleanup(each.close)

    @property
    def waiting(self):
        """Bytes in the memory."""
        start, end = POSITIONS.unpack(os.pread(self._memory.fileno(), POSITIONS.size, 0))
        return end - start

    def arrived(self):
        """What has come by the link."""
        here, _, _ = select.select([self.sock], [], [], 0)
        return self.sock.recv(1 << 20) if here else b""


class Limits(unittest.TestCase):
    def setUp(self):
        self.held = Held(self)

    def test_thirty_two_frames_leave_by_themselves(self):
        for at in range(MOST - 1):
            self.held.outbox.hold(b"%02d" % at)
            self.assertEqual(self.held.waiting, 2 * (at + 1))
        self.assertEqual(self.held.arrived(), b"")
        self.held.outbox.hold(b"last")
        self.assertEqual(self.held.arrived(), b"".join(b"%02d" % at for at in range(MOST - 1)) + b"last")
        self.assertEqual(self.held.waiting, 0)

    def test_frames_that_the_memory_has_no_room_for_leave_in_their_order(self):
        self.held.outbox.hold(b"a" * 40_000)
        self.assertEqual(self.held.waiting, 40_000)
        self.held.outbox.hold(b"b" * 40_000)
        self.assertEqual(self.held.arrived(), b"a" * 40_000 + b"b" * 40_000)
        self.assertEqual(self.held.waiting, 0)

    def test_the_room_is_used_to_its_last_byte(self):
        self.held.outbox.hold(b"a" * (ROOM - 1))
        self.held.outbox.hold(b"b")
        self.assertEqual(self.held.waiting, ROOM)
        self.held.outbox.hold(b"c")
        self.assertEqual(self.held.arrived(), b"a" * (ROOM - 1) + b"bc")

    def test_what_waits_leaves_before_what_is_sent(self):
        self.held.outbox.hold(b"first")
        self.held.outbox.send(b"second")
        self.assertEqual(self.held.arrived(), b"firstsecond")


class Inline(unittest.TestCase):
    """A worker without threads, in a thread of this process."""

    def setUp(self):
        self.held = Held(self)
        self.go = threading.Event()
        driver = stream.Inline(link.Link(self.held.theirs), self.held.outbox)
        server = wsgi.Server(self.app, driver, {}, 1, 1)
        self.link = link.Link(self.held.sock)
        self.worker = threading.Thread(target=driver.serve, args=(server,), daemon=True)
        self.worker.start()

    def tearDown(self):
        self.go.set()
        self.held.sock.sendall(link.HEADER.pack(0, 0, link.STOP))
        self.worker.join(PATIENCE)
        self.assertFalse(self.worker.is_alive())

    def app(self, environ, start_response):
        if environ["DO"] == "wait":
            self.go.wait(2 * PATIENCE)  # longer than anything waits for an answer
        elif environ["DO"] == "work":
            time.sleep(0.002)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def ask(self, *steps):
        """Requests that arrive in one read."""
        payloads = (marshal.dumps({"REQUEST_METHOD": "GET", "wsgi.input": b"", "DO": do}, 2) for do in steps)
        frames = (link.HEADER.pack(len(p), id, link.REQUEST) + p for id, p in enumerate(payloads, 1))
        self.held.sock.sendall(b"".join(frames))

    def answered(self, count):
        """The requests of the next answers that come by the link."""
        found = []
        while len(found) < count:
            kind, id, _ = self.link.read()
            if kind == link.RESPONSE:
                found.append(id)
        return found

    def test_no_answer_is_held_that_took_longer_than_a_millisecond_and_none_before_it(self):
        self.ask("quick", "quick", "work", "wait")
        self.assertEqual(self.answered(3), [1, 2, 3])
        self.go.set()
        self.assertEqual(self.answered(1), [4])

    def test_fewer_than_thirty_two_answers_wait_for_the_next_request(self):
        # Others have left before, thirty-two at a time or, on a slow machine, after a millisecond.
        self.ask(*["quick"] * (3 * MOST), "wait")
        left = 2 * MOST + 1
        self.assertEqual(self.answered(left), list(range(1, left + 1)))

    def test_fewer_are_where_the_server_finds_them_when_the_next_request_is_running(self):
        self.ask("quick", "wait")
        deadline = time.monotonic() + PATIENCE
        while not (self.held.waiting or self.held.arrived()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.001)


if __name__ == "__main__":
    unittest.main()
