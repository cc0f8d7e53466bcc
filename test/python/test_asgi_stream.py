"""What a stream keeps in order, and what it keeps of applications that ask again and again."""

import asyncio
import unittest

from front import link
from sallyport.asgi.http import Http


class Link:
    """Takes all that is sent."""

    paused = False

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.sent = []

    def send(self, kind, id, payload=b""):
        self.sent.append(payload)

    def hold(self, stream):
        pass


def body(data):
    return {"type": "http.response.body", "body": data, "more_body": True}


class StreamTest(unittest.TestCase):
    def within_loop(self, test):
        async def main():
            links = Link()
            await test(Http(links, 1, {"method": "GET"}, None, False), links.sent)

        asyncio.run(main())

    def test_nothing_is_sent_in_the_middle_of_a_large_piece(self):
        async def test(stream, sent):
            await stream.send({"type": "http.response.start", "status": 200})
            large = asyncio.ensure_future(stream.send(body(b"a" * (link.WINDOW + link.PIECE))))
            await asyncio.sleep(0)
            stream.frame(link.CREDIT, link.COUNT.pack(2 * link.PIECE))
            # There is credit now, and the task above has not had its turn yet.
            await stream.send(body(b"b"))
            await large
            self.assertEqual([payload[:1] for payload in sent], [b"\0", *[b"a"] * 5, b"b"])

        self.within_loop(test)

    def test_what_no_longer_waits_is_forgotten(self):
        async def test(stream, sent):
            for _ in range(10):
                waiting = asyncio.ensure_future(stream.receive())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
            self.assertEqual(len(stream._waiters), 0)

        self.within_loop(test)


if __name__ == "__main__":
    unittest.main()
