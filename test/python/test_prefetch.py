"""How many requests a worker asks for at once, by how quickly it answers them."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))

from sallyport.stream import Prefetch  # noqa: E402


class PrefetchTest(unittest.TestCase):
    def setUp(self):
        self.prefetch = Prefetch()
        self.count = 16

    def answers(self, count, seconds):
        """`count` requests of so many seconds each, in batches of four."""
        for _ in range(count // 4):
            self.prefetch.served += 4
            self.count = self.prefetch.after(4 * seconds) or self.count

    def test_quick_requests_are_sent_sixty_four_ahead_and_no_more(self):
        self.answers(400, 0.00001)
        self.assertEqual(self.count, 64)

    def test_as_many_wait_as_are_answered_in_eight_milliseconds(self):
        self.answers(400, 0.0008)
        self.assertEqual(self.count, 8)

    def test_nothing_waits_behind_a_slow_one(self):
        self.answers(4, 0.2)
        self.assertEqual(self.count, 1)

    def test_one_pause_among_many_quick_requests_changes_little_and_is_forgotten(self):
        self.answers(400, 0.00001)
        self.prefetch.served += 16
        self.count = self.prefetch.after(0.02) or self.count
        self.assertGreaterEqual(self.count, 4)
        self.answers(200, 0.00001)
        self.assertEqual(self.count, 64)

    def test_it_says_nothing_while_nothing_changes(self):
        self.answers(400, 0.00001)
        self.prefetch.served += 16
        self.assertEqual(self.prefetch.after(0.00016), 0)
        self.assertEqual(self.prefetch.after(1.0), 0)  # idle

    def test_threads_always_have_one_each(self):
        self.prefetch, self.count = Prefetch(5, 5), 5
        self.answers(400, 0.00001)
        self.assertEqual(self.count, 64)
        self.answers(40, 0.2)
        self.assertEqual(self.count, 5)


if __name__ == "__main__":
    unittest.main()
