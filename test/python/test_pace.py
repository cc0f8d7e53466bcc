"""How far ahead a worker asks to be sent requests, by how quickly it answers them."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))

from sallyport.stream import Pace  # noqa: E402


class PaceTest(unittest.TestCase):
    def setUp(self):
        self.pace = Pace()
        self.ahead = 16

    def answers(self, count, seconds):
        """`count` requests of so many seconds each, in batches of four."""
        for _ in range(count // 4):
            self.pace.served += 4
            self.ahead = self.pace.after(4 * seconds) or self.ahead

    def test_quick_requests_are_sent_sixty_four_ahead_and_no_more(self):
        self.answers(400, 0.00001)
        self.assertEqual(self.ahead, 64)

    def test_as_many_wait_as_are_answered_in_four_milliseconds(self):
        self.answers(400, 0.0004)
        self.assertEqual(self.ahead, 8)

    def test_nothing_waits_behind_a_slow_one(self):
        self.answers(4, 0.2)
        self.assertEqual(self.ahead, 1)

    def test_one_pause_among_many_quick_requests_changes_little_and_is_forgotten(self):
        self.answers(400, 0.00001)
        self.pace.served += 16
        self.ahead = self.pace.after(0.02) or self.ahead
        self.assertGreaterEqual(self.ahead, 4)
        self.answers(200, 0.00001)
        self.assertEqual(self.ahead, 64)

    def test_it_says_nothing_while_nothing_changes(self):
        self.answers(400, 0.00001)
        self.pace.served += 16
        self.assertEqual(self.pace.after(0.00016), 0)
        self.assertEqual(self.pace.after(1.0), 0)  # idle


if __name__ == "__main__":
    unittest.main()
