"""The interpreter's end of the link against the vectors that both languages read."""

import json
import os
import socket
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))

from sallyport import link  # noqa: E402

with open(os.path.join(HERE, "..", "vectors", "link.json"), encoding="utf-8") as file:
    VECTORS = json.load(file)


class LinkTest(unittest.TestCase):
    def setUp(self):
        self.front, worker = socket.socketpair()
        self.addCleanup(self.front.close)
        self.addCleanup(worker.close)
        self.link = link.Link(worker)

    def test_kinds_have_the_numbers_of_the_vectors(self):
        for vector in VECTORS:
            kinds = link.TO_WORKER if vector["number"] < 64 else link.FROM_WORKER
            self.assertEqual(kinds[vector["kind"]], vector["number"], vector["kind"])

    def test_every_kind_but_those_of_the_start_has_a_vector(self):
        numbers = {*link.TO_WORKER.values(), *link.FROM_WORKER.values()}
        self.assertEqual(numbers - {vector["number"] for vector in VECTORS}, {link.INIT, link.FAILED})

    def test_every_vector_is_read_whole_and_byte_by_byte_and_with_bytes_left_over(self):
        for vector in VECTORS:
            data = bytes.fromhex(vector["bytes"])
            expected = (vector["number"], vector["stream"], bytes.fromhex(vector["payload"]))
            self.front.sendall(data + data)
            self.assertEqual(self.link.read(), expected)
            self.assertEqual(self.link.read(), expected)
            self.assertFalse(self.link.pending)
            for i in range(len(data) - 1):
                self.front.sendall(data[i : i + 1])
                self.assertTrue(self.link.poll())
                self.assertIsNone(self.link.parsed())
            self.front.sendall(data[-1:])
            self.assertEqual(self.link.read(), expected)

    def test_frames_of_any_size_are_read_however_they_come(self):
        sizes = [0, 1, 65_535, 65_536, 100_000, 262_144, 1_000_000, 3, 200_000, 200_000, 7]
        payloads = [os.urandom(size) for size in sizes]
        for kind in (link.REQUEST, link.BODY):
            frames = [link.HEADER.pack(len(data), 1, kind) + data for data in payloads]
            sending = threading.Thread(target=self.front.sendall, args=(b"".join(frames),))
            sending.start()
            for data in payloads:
                self.assertEqual(self.link.read(), (kind, 1, data))
            sending.join()
            self.assertFalse(self.link.pending)

    def test_memory_for_a_large_frame_is_given_back(self):
        sending = threading.Thread(target=self.link_front_sends, args=(1_000_000,))
        sending.start()
        self.link.read()
        sending.join()
        self.assertLess(len(self.link.room()), 300_000)

    def link_front_sends(self, size):
        self.front.sendall(link.HEADER.pack(size, 1, link.BODY) + bytes(size))

    def test_only_payloads_of_requests_are_written_over(self):
        for kind in (link.BODY, link.COMMON, link.CANCEL):
            self.front.sendall(link.HEADER.pack(4, 1, kind) + b"kept")
            _, _, payload = self.link.read()
            self.front.sendall(link.HEADER.pack(4, 1, kind) + b"next")
            self.link.read()
            self.assertEqual(payload, b"kept")
            self.assertIs(type(payload), bytes)

    def test_every_vector_is_written_as_pinned(self):
        for vector in VECTORS:
            self.link.send(vector["number"], vector["stream"], bytes.fromhex(vector["payload"]))
            data = bytes.fromhex(vector["bytes"])
            self.assertEqual(self.front.recv(len(data) + 1), data)

    def test_the_end_of_the_front_is_an_EOFError(self):
        self.front.close()
        with self.assertRaises(EOFError):
            self.link.read()

    def test_poll_does_not_wait(self):
        self.assertFalse(self.link.poll())


if __name__ == "__main__":
    unittest.main()
