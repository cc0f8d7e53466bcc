"""Common parts whose numbers are those of requests under way: with threads, on an event loop, and embedded."""

import os
import threading
import unittest
from marshal import dumps

import front
import test_threads
from sallyport import link, wsgi
from sallyport.embedded.application import Embedded


def part(**entries):
    return dumps((0, entries), 2)


def repeat(number, path="/"):
    return dumps((number, "GET", "", path, "", path, None), 2)


def frame(kind, id, payload):
    return link.HEADER.pack(len(payload), id, link.TO_WORKER[kind]) + payload


class CommonParts(unittest.TestCase):
    def test_with_threads(self):
        go, begun, names = threading.Event(), threading.Event(), []

        def app(environ, start_response):
            names.append(environ["SERVER_NAME"])
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/wait":
                begun.set()
                go.wait(test_threads.PATIENCE)
            return [b""]

        site = test_threads.Site(app, 2)
        self.addCleanup(lambda: self.assertTrue(site.stop()))
        site.sock.sendall(frame("COMMON", 1, part(SERVER_NAME="one")) + frame("REPEAT", 7, repeat(1, "/wait")))
        self.assertTrue(begun.wait(test_threads.PATIENCE))
        site.sock.sendall(frame("COMMON", 7, part(SERVER_NAME="seven")) + frame("REPEAT", 8, repeat(7)))
        self.assertEqual(site.frames(1, "RESPONSE"), [8])
        go.set()
        self.assertEqual(site.frames(1, "RESPONSE"), [7])
        self.assertEqual(names, ["one", "seven"])

    def test_on_an_event_loop(self):
        server = front.Front("client_facts:app", directory=os.path.join(front.HERE, "..", "apps", "waiting"))
        self.addCleanup(server.close)
        server.ready()
        common = {"type": "http", "headers": [], "http_version": "1.1", "scheme": "http"}
        for number, id, path in ((1, 7, "/wait"), (7, 8, "/")):
            server.send("COMMON", number, part(**common, client=(str(number), 1)))
            server.send("REPEAT", id, dumps((number, "GET", path, b"", b"", "", b""), 2))
        self.assertTrue(server.expect("RESPONSE", 8).endswith(b"7"))
        server.send("CANCEL", 7)
        server.expect("DONE", 7)

    def test_what_an_application_does_to_its_tls_facts_is_not_seen_by_others(self):
        server = front.Front("client_facts:app", directory=os.path.join(front.HERE, "..", "apps", "waiting"))
        self.addCleanup(server.close)
        server.ready()
        common = {"type": "http", "headers": [], "http_version": "1.1", "scheme": "https", "client": ("one", 1)}
        server.send("COMMON", 1, part(**common, tls={"client_cert_chain": ["certificate"]}))
        for id in (7, 8):
            server.send("REPEAT", id, dumps((1, "GET", "/", b"", b"", "", b""), 2))
            self.assertTrue(server.expect("RESPONSE", id).endswith(b"onecertificate"))

    def test_embedded(self):
        def app(environ, start_response):
            start_response("200 OK", [])
            yield environ["SERVER_NAME"].encode()
            yield b"more"

        driver = Embedded(memoryview(bytearray(8)), memoryview(bytearray(65_536)))
        driver._server = wsgi.Server(app, driver, {}, 1, 1)
        driver._read(frame("COMMON", 1, part(SERVER_NAME="one")) + frame("REPEAT", 7, repeat(1)))
        driver._begin(*driver._waiting.popitem(last=False))
        self.assertIn(7, driver._streams)
        driver._read(frame("COMMON", 7, part(SERVER_NAME="seven")) + frame("REPEAT", 8, repeat(7)))
        while driver._waiting or driver._runnable:
            driver._work()
        sent = b"".join(driver._out)
        for id, name in ((7, b"one"), (8, b"seven")):
            self.assertIn(link.HEADER.pack(len(name), id, link.CHUNK) + name, sent)
            self.assertIn(link.HEADER.pack(0, id, link.DONE), sent)


if __name__ == "__main__":
    unittest.main()
