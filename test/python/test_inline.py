"""A worker without threads: frames of later requests that arrive while it is inside of one."""

import os
import socket
import sys
import time
import unittest
from marshal import dumps
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

from sallyport import link, outbox, stream, wsgi  # noqa: E402


def frame(kind, id, payload=b""):
    return link.HEADER.pack(len(payload), id, getattr(link, kind)) + payload


def common(number):
    return frame("COMMON", number, dumps((0, {"SERVER_NAME": f"part{number}"}), 2))


def repeat(id, number, path="/"):
    return frame("REPEAT", id, dumps((number, "GET", "", path, "", path, None), 2))


STOP = frame("STOP", 0)


def served(first, app):
    """What a worker with `app` sends for the frames `first`; `app` gets the server's end of the link, too."""
    here, there = socket.socketpair()
    with here, there:
        here.sendall(first)
        driver = stream.Inline(link.Link(there), outbox.Direct(there))
        driver.serve(wsgi.Server(lambda environ, begin: app(here, environ, begin), driver, {}, 1, 1))
        there.close()
        return frames(b"".join(iter(lambda: here.recv(65536), b"")))


def frames(data):
    names = {number: name for name, number in link.FROM_WORKER.items()}
    found = []
    while data:
        length, id, kind = link.HEADER.unpack_from(data)
        end = link.HEADER.size + length
        found.append((names[kind], id, data[link.HEADER.size : end]))
        data = data[end:]
    return found


def named(environ, begin):
    begin("200 OK", [])
    return [environ["SERVER_NAME"].encode()]


class FramesForLater(unittest.TestCase):
    def bodies(self, found):
        return {id: payload[-5:] for name, id, payload in found if name in ("RESPONSE", "ANSWER")}

    def test_several_processes_are_told_to_common_parts_in_order_with_requests(self):
        server = wsgi.Server(None, None, {}, 1, 1)
        server.learn(1, dumps((0, {"SERVER_NAME": "part1"}), 2))
        repeat = dumps((1, "GET", "", "/", "", "/", None), 2)
        before = server.environ(link.REPEAT, repeat)
        server.become_multiprocess()
        server.learn(2, dumps((0, {"SERVER_NAME": "part2"}), 2))
        self.assertIs(before["wsgi.multiprocess"], False)
        for number in (1, 2):
            repeat = dumps((number, "GET", "", "/", "", "/", None), 2)
            self.assertIs(server.environ(link.REPEAT, repeat)["wsgi.multiprocess"], True)
        self.assertIs(server.environ(link.REQUEST, dumps({}, 2))["wsgi.multiprocess"], True)

    def test_a_part_whose_number_is_that_of_the_response_under_way_is_learnt(self):
        def app(server, environ, begin):
            if environ["PATH_INFO"] != "/stream":
                return named(environ, begin)
            begin("200 OK", [])
            return pieces(server)

        def pieces(server):
            yield b"one"
            server.sendall(common(2))
            time.sleep(0.01)  # later than what was read last
            yield b"two"
            yield b"three"
            server.sendall(repeat(3, 2) + STOP)

        found = served(common(1) + repeat(1, 1) + repeat(2, 1, "/stream"), app)
        self.assertEqual(self.bodies(found), {1: b"part1", 3: b"part2"})
        self.assertIn(("END", 2, b""), found)

    def test_the_cancel_of_a_request_that_waits_leaves_the_part_of_that_number(self):
        def app(_server, environ, begin):
            time.sleep(0.01)  # so that it looks for what has been cancelled
            return named(environ, begin)

        sent = [common(1), repeat(1, 1), common(2), repeat(2, 2), common(3), repeat(3, 2), repeat(4, 3)]
        found = served(b"".join(sent) + frame("CANCEL", 2) + STOP, app)
        self.assertEqual(self.bodies(found), {1: b"part1", 3: b"part2", 4: b"part3"})
        self.assertIn(("DONE", 2, b""), found)


class RequestsBehind(unittest.TestCase):
    """What waits behind a response that goes on may go to another worker."""

    def served_behind(self, seconds):
        """Two requests arrive while the first block of a response takes so many seconds."""

        def app(server, environ, begin):
            if environ["PATH_INFO"] != "/stream":
                return named(environ, begin)
            begin("200 OK", [])
            return pieces(server)

        def pieces(server):
            server.sendall(common(2) + repeat(3, 2) + repeat(4, 2) + STOP)
            time.sleep(seconds)
            yield b"one"
            yield b"two"

        return served(common(1) + repeat(1, 1, "/stream"), app)

    def test_it_is_given_back_once_the_response_takes_long_and_the_newest_request_first(self):
        found = self.served_behind(0.02)
        self.assertEqual([id for name, id, _ in found if name == "RETURNED"], [4, 3])
        self.assertNotIn("RESPONSE", [name for name, _, _ in found])
        names = [name for name, id, _ in found]
        self.assertLess(names.index("RETURNED"), names.index("END"))

    def test_it_waits_behind_a_quick_response(self):
        with mock.patch.object(stream, "monotonic", lambda: 0.0):  # however slow this machine is
            names = [name for name, _, _ in self.served_behind(0)]
        self.assertEqual([names.count("RETURNED"), names.count("RESPONSE")], [0, 2])

    def test_a_part_of_the_environ_that_came_with_it_is_kept(self):
        def app(server, environ, begin):
            begin("200 OK", [])
            if environ["PATH_INFO"] != "/stream":
                return [environ["SERVER_NAME"].encode()]
            return pieces(server)

        def pieces(server):
            server.sendall(common(2) + repeat(3, 2))
            time.sleep(0.02)
            yield b"one"
            server.sendall(repeat(4, 2) + STOP)

        found = served(common(1) + repeat(1, 1, "/stream"), app)
        self.assertIn(("RETURNED", 3, b""), found)
        self.assertEqual([payload[-5:] for name, id, payload in found if id == 4], [b"part2"])


if __name__ == "__main__":
    unittest.main()
