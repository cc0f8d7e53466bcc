"""A worker with threads: which thread runs what, what leaves when, and what the server finds when the worker dies."""

import marshal
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "..", "..", "python")
sys.path.insert(0, PROGRAM)

from sallyport import link, outbox, threads, wsgi  # noqa: E402

KINDS = {number: name for name, number in link.FROM_WORKER.items()}
# Seconds for anything at all: generous, as the machine may be busy.
PATIENCE = 30
HEADER = struct.Struct("<QQQQ")


def hello(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class Site:
    """A driver with `count` threads in this process, and the server's end of its link."""

    def __init__(self, app, count):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(PATIENCE)
        self._link = link.Link(self.sock)
        self._theirs = theirs
        # The numbers of PREFETCH that came.
        self.prefetch = []
        with tempfile.TemporaryFile() as memory:
            memory.truncate(32 + 65_536 + 8 * count)
            shared = outbox.SharedOutbox(outbox.Outbox(theirs, os.dup(memory.fileno()), 65_536), theirs)
        self.driver = threads.Shared(link.Link(theirs), shared, count)
        server = wsgi.Server(app, self.driver, {}, count, 1)
        self.driver.start()
        self._thread = threading.Thread(target=self.driver.serve, args=(server,), daemon=True)
        self._thread.start()

    def request(self, *ids, **environ):
        """Requests that arrive in one read."""
        self.sock.sendall(b"".join(frame(id, **environ) for id in ids))

    def frames(self, count, kind):
        """The streams of the next `count` frames of a kind; frames of other kinds are passed over."""
        found = []
        while len(found) < count:
            number, id, payload = self._link.read()
            if KINDS[number] == kind:
                found.append(id)
            elif number == link.PREFETCH:
                self.prefetch.append(link.COUNT.unpack(payload)[0])
        return found

    def send(self, kind, id, payload=b""):
        self.sock.sendall(link.HEADER.pack(len(payload), id, kind) + payload)

    def next(self):
        """The next frame, but for the numbers of PREFETCH."""
        while True:
            number, id, payload = self._link.read()
            if number != link.PREFETCH:
                return KINDS[number], id, bytes(payload)

    def stop(self):
        self.sock.sendall(link.HEADER.pack(0, 0, link.STOP))
        self._thread.join(PATIENCE)
        stopped = not self._thread.is_alive()
        self.sock.close()
        self._theirs.close()
        return stopped


def frame(id, kind=link.REQUEST, **environ):
    payload = marshal.dumps({"REQUEST_METHOD": "GET", "wsgi.input": b"", **environ}, 2)
    return link.HEADER.pack(len(payload), id, kind) + payload


class Threads(unittest.TestCase):
    def site(self, app, count):
        site = Site(app, count)
        self.addCleanup(lambda: self.assertTrue(site.stop(), "it ends at STOP"))
        return site

    def test_every_request_is_answered_once_however_they_arrive(self):
        site = self.site(hello, 4)
        answered = []
        for start in range(1, 2001, 50):
            site.request(*range(start, start + 50))
            answered += site.frames(50, "RESPONSE")
        for id in range(2001, 2201):
            site.request(id)
            answered += site.frames(1, "RESPONSE")
        self.assertEqual(sorted(answered), list(range(1, 2201)))

    def test_as_many_run_at_once_as_there_are_threads(self):
        together = threading.Barrier(8)

        def meet(environ, start_response):
            together.wait(PATIENCE)
            return hello(environ, start_response)

        site = self.site(meet, 8)
        for start in (1, 9, 17):
            site.request(*range(start, start + 8))
            self.assertEqual(sorted(site.frames(8, "RESPONSE")), list(range(start, start + 8)))

    def test_requests_that_wait_delay_no_answer_that_was_finished_before(self):
        go = threading.Event()

        def app(environ, start_response):
            if environ.get("SLOW"):
                go.wait(PATIENCE)
            return hello(environ, start_response)

        site = self.site(app, 2)
        for id in range(1, 300, 3):
            go.clear()
            site.sock.sendall(frame(id) + frame(id + 1, SLOW="1") + frame(id + 2, SLOW="1"))
            self.assertEqual(site.frames(1, "RESPONSE"), [id])
            go.set()
            self.assertEqual(sorted(site.frames(2, "RESPONSE")), [id + 1, id + 2])

    def test_one_idle_thread_does_what_is_quick(self):
        used = set()

        def app(environ, start_response):
            used.add(threading.get_ident())
            return hello(environ, start_response)

        site = self.site(app, 16)
        for id in range(1, 201):
            site.request(id)
            site.frames(1, "RESPONSE")
        self.assertLess(len(used), 8, "the thread that rested last is taken first")

    def test_quick_requests_are_sent_ahead(self):
        site = self.site(hello, 2)
        for start in range(1, 2001, 50):
            site.request(*range(start, start + 50))
            site.frames(50, "RESPONSE")
        self.assertGreater(max(site.prefetch), 2)

    def test_a_cancelled_request_that_waits_is_never_begun(self):
        go, begun = threading.Event(), []

        def app(environ, start_response):
            begun.append(environ["ID"])
            go.wait(PATIENCE)
            return hello(environ, start_response)

        site = self.site(app, 1)
        site.sock.sendall(frame(1, ID=1) + frame(2, ID=2) + link.HEADER.pack(0, 2, link.CANCEL) + frame(3, ID=3))
        while not (site.driver._streams.get(3) and begun):
            threading.Event().wait(0.001)
        go.set()
        self.assertEqual(site.frames(2, "RESPONSE"), [1, 3])
        self.assertEqual(begun, [1, 3])

    def test_an_answer_larger_than_the_socket_takes_arrives_whole(self):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "120000")])
            return [b"x" * 120_000]

        site = self.site(app, 4)
        site.request(*range(1, 41))  # more than 4 MB, and nobody reads yet
        self.assertEqual(sorted(site.frames(40, "RESPONSE")), list(range(1, 41)))


# One thread begins 1, finishes it and dies in 2; another is inside 3; 4 and 5 wait.
DIES = """
import os, socket, sys, threading
sys.path.insert(0, sys.argv[1])
from sallyport import link, outbox, threads, wsgi
sock = socket.socket(fileno=int(sys.argv[2]))
shared = outbox.SharedOutbox(outbox.Outbox(sock, int(sys.argv[3]), 65_536), sock)
driver = threads.Shared(link.Link(sock), shared, 2)
inside = threading.Event()

def app(environ, start_response):
    if environ["DO"] == "stay":
        inside.set()
        threading.Event().wait()
    if environ["DO"] == "die":
        os.kill(os.getpid(), 9)
    # A standby, as if it had been woken and did not run yet: what is finished is held.
    inside.wait()
    driver._standby.acquire(False)
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]

driver.start()
driver.serve(wsgi.Server(app, driver, {}, 2, 1))
"""


class Death(unittest.TestCase):
    def test_finished_answers_are_left_and_the_requests_inside_are_named(self):
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        with tempfile.TemporaryFile() as memory, ours:
            memory.truncate(32 + 65_536 + 2 * 8)
            fds = theirs.fileno(), os.dup(memory.fileno())
            child = subprocess.Popen([sys.executable, "-c", DIES, PROGRAM, *map(str, fds)], pass_fds=fds)
            theirs.close()
            os.close(fds[1])
            ours.sendall(frame(3, DO="stay") + frame(1, DO="go") + frame(2, DO="die") + frame(4, DO="go"))
            self.assertEqual(child.wait(PATIENCE), -9)
            data = os.pread(memory.fileno(), 32 + 65_536 + 16, 0)
            start, end, _, _ = HEADER.unpack_from(data)
            waiting = data[32 : 32 + end - start]
            self.assertEqual(sorted(struct.unpack_from("<QQ", data, 32 + 65_536)), [2, 3])
            self.assertEqual(link.HEADER.unpack_from(waiting)[1:], (1, link.RESPONSE))


class Upgrades(unittest.TestCase):
    """Requests that ask for a WebSocket: what the application writes and reads on its socket, as frames."""

    def opened(self, app):
        site = Site(app, 2)
        self.addCleanup(lambda: self.assertTrue(site.stop(), "it ends at STOP"))
        site.sock.sendall(frame(5, link.UPGRADE))
        self.assertEqual(site.next(), ("WANT", 5, link.COUNT.pack(link.WINDOW)))
        return site

    def test_bytes_pass_both_ways_until_the_application_ends(self):
        def echo(environ, start_response):
            taken = environ["gunicorn.socket"]
            taken.sendall(b"open")
            while (data := taken.recv(100)) != b"bye":
                taken.sendall(data)
            raise StopIteration

        site = self.opened(echo)
        self.assertEqual([site.next(), site.next()], [("SWITCHED", 5, b""), ("CHUNK", 5, b"open")])
        site.send(link.BODY, 5, b"hello")
        self.assertEqual(site.next(), ("CHUNK", 5, b"hello"))
        site.send(link.BODY, 5, b"bye")
        self.assertEqual(site.next(), ("DONE", 5, b""))

    def test_without_the_socket_it_is_a_response(self):
        site = self.opened(hello)
        self.assertEqual(site.next()[:2], ("RESPONSE", 5))

    def test_what_was_written_comes_before_what_is_returned(self):
        def both(environ, start_response):
            environ["gunicorn.socket"].sendall(b"open")
            return hello(environ, start_response)

        site = self.opened(both)
        frames = [site.next() for _ in range(3)]
        self.assertEqual(frames, [("SWITCHED", 5, b""), ("CHUNK", 5, b"open"), ("DONE", 5, b"")])

    def test_the_application_waits_for_credit(self):
        def flood(environ, start_response):
            environ["gunicorn.socket"].sendall(bytes(link.WINDOW + 10))
            raise StopIteration

        site = self.opened(flood)
        self.assertEqual(site.next()[0], "SWITCHED")
        sent = 0
        while sent < link.WINDOW:
            kind, _, payload = site.next()
            self.assertEqual(kind, "CHUNK")
            sent += len(payload)
        self.assertEqual(sent, link.WINDOW)
        site.send(link.CREDIT, 5, link.COUNT.pack(10))
        self.assertEqual([site.next(), site.next()], [("CHUNK", 5, bytes(10)), ("DONE", 5, b"")])

    def test_when_the_client_leaves_both_directions_end(self):
        seen = []

        def until_it_fails(environ, start_response):
            taken = environ["gunicorn.socket"]
            taken.sendall(b"open")
            seen.extend([taken.recv(100), taken.recv(100)])
            while True:
                taken.sendall(b"more")

        site = self.opened(until_it_fails)
        self.assertEqual([site.next()[0], site.next()[0]], ["SWITCHED", "CHUNK"])
        site.send(link.BODY, 5, b"last words")
        site.send(link.CANCEL, 5)
        self.assertEqual(site.next(), ("DONE", 5, b""))
        self.assertEqual(seen, [b"last words", b""])

    def test_a_client_that_leaves_before_the_handshake_is_answered_ends_the_wait(self):
        def wait(environ, start_response):
            environ["gunicorn.socket"].recv(1)
            environ["gunicorn.socket"].sendall(b"too late")

        site = self.opened(wait)
        site.send(link.CANCEL, 5)
        self.assertEqual(site.next(), ("DONE", 5, b""))

    def test_an_exception_behind_the_handshake_is_told(self):
        def fail(environ, start_response):
            environ["gunicorn.socket"].sendall(b"open")
            raise KeyError("gone")

        site = self.opened(fail)
        self.assertEqual([site.next()[0], site.next()[0], site.next()[0]], ["SWITCHED", "CHUNK", "ABORT"])


if __name__ == "__main__":
    unittest.main()
