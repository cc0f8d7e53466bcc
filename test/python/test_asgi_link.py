"""What leaves a worker with an event loop before a request that blocks the loop has come to its end."""

import os
import tempfile
import unittest

from front import Front

HEAD = ("send", {"type": "http.response.start", "status": 200})
BODY = ("send", {"type": "http.response.body", "body": b"here"})
# What link.py says of finished responses.
MAX_FINISHED = 16


class HeldTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = os.path.join(directory.name, "go on")
        self.front = Front("script")
        self.addCleanup(self.front.close)
        self.front.ready()

    def blocked_after(self, *scripts):
        """Sends these requests and one that blocks the loop, in one read. Returns all streams."""
        with self.front.together():
            streams = [self.front.script(*steps) for steps in scripts]
            return [*streams, self.front.script(("block", self.file))]

    def test_fewer_than_sixteen_answers_wait_for_a_request_that_blocks_the_loop(self):
        # Others have left before, sixteen at a time or, on a slow machine, after a millisecond.
        *streams, blocked = self.blocked_after(*[(HEAD, BODY)] * (3 * MAX_FINISHED))
        for stream in streams[: 1 - MAX_FINISHED]:
            self.assertEqual(self.front.response(stream)[2], b"here")
        open(self.file, "w").close()
        self.front.abort(blocked)

    def test_answers_leave_when_a_turn_of_the_loop_takes_longer_than_a_millisecond(self):
        first, slow, blocked = self.blocked_after((HEAD, BODY), (("work", 0.002), HEAD, BODY))
        for stream in (first, slow):
            self.assertEqual(self.front.response(stream)[2], b"here")
        open(self.file, "w").close()
        self.front.abort(blocked)


if __name__ == "__main__":
    unittest.main()
