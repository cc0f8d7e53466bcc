"""What leaves a WSGI worker in one write, and what must not wait for the application."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

from sallyport import link, wsgi  # noqa: E402

KINDS = {number: name for name, number in link.FROM_WORKER.items()}


def kinds(data):
    """The names of the frames, in order."""
    names = []
    while data:
        length, _, kind = link.HEADER.unpack_from(data)
        names.append(KINDS[kind])
        data = data[link.HEADER.size + length :]
    return names


class Driver:
    """Notes each write, and what the application does between them."""

    def __init__(self):
        self.notes = []

    def send(self, kind, id, payload=b""):
        self.hold(link.HEADER.pack(len(payload), id, kind) + payload)

    def hold(self, frame):
        self.notes.append(kinds(frame))

    def poll(self, stream):
        pass

    def between_blocks(self, stream):
        pass

    def ends_with(self, error):
        return False


class Blocks:
    """An iterable with a close() of its own."""

    def __init__(self, notes, blocks):
        self._notes = notes
        self._blocks = iter(blocks)

    def __iter__(self):
        return self._blocks

    def close(self):
        self._notes.append("closed")


def answered(result_of, headers=()):
    """What a worker writes for the application's result, write by write."""
    driver = Driver()

    def app(environ, start_response):
        start_response("200 OK", list(headers))
        return result_of(driver.notes)

    server = wsgi.Server(app, driver, {}, 4, 1)
    server.open(1).run({"REQUEST_METHOD": "GET"})
    return driver.notes


def generator(notes):
    try:
        yield b"a"
        yield b"b"
    finally:
        notes.append("tidied")


def fails(notes):
    yield b"a"
    raise ValueError("midway")


class Together(unittest.TestCase):
    def test_the_end_of_a_generator_leaves_with_the_end_of_its_request(self):
        notes = answered(generator)
        self.assertEqual(notes, [["HEAD"], ["CHUNK"], ["CHUNK"], "tidied", ["END", "DONE"]])

    def test_an_iterator_without_close_ends_in_one_write(self):
        self.assertEqual(answered(lambda notes: iter([b"a"])), [["HEAD"], ["CHUNK"], ["END", "DONE"]])
        self.assertEqual(answered(lambda notes: iter([])), [["RESPONSE"]])

    def test_a_client_does_not_wait_for_close(self):
        notes = answered(lambda notes: Blocks(notes, [b"a"]))
        self.assertEqual(notes, [["HEAD"], ["CHUNK"], ["END"], "closed", ["DONE"]])
        self.assertEqual(answered(lambda notes: Blocks(notes, [])), [["ANSWER"], "closed", ["DONE"]])

    def test_a_generator_that_is_cut_to_its_length_is_closed_before_its_request_ends(self):
        notes = answered(generator, [("Content-Length", "1")])
        self.assertEqual(notes, [["ANSWER"], "tidied", ["DONE"]])

    def test_a_failure_midway_is_no_end(self):
        self.assertEqual(answered(fails), [["HEAD"], ["CHUNK"], ["ABORT"]])


if __name__ == "__main__":
    unittest.main()
