"""What a stream keeps in order, and what it keeps of applications that ask again and again."""

import asyncio
import json
import sys
import unittest

from front import link
from sallyport.asgi.http import Http
from sallyport.asgi.link import LoopLink


class Link:
    """Takes all that is sent."""

    paused = False
    is_free = True
    ending = False

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.sent = []

    def send(self, kind, id, payload=b""):
        self.sent.append(payload)

    def hold(self, stream):
        pass

    def finish(self, *_place):
        self.sent.append("done")

    def forget(self, id):
        pass


def body(data):
    return {"type": "http.response.body", "body": data, "more_body": True}


class Left(Exception):
    """What a framework makes of an exception of ours."""


async def never(stream):
    await stream.send(body(b""))


async def give_way(stream):
    try:
        await never(stream)
    except OSError:
        raise Left()  # noqa: B904


async def give_way_from(stream):
    try:
        await never(stream)
    except OSError as error:
        raise RuntimeError("left") from error


async def fail_in_cleanup(stream):
    try:
        await never(stream)
    except OSError:
        {}["peer"]


def close_database():
    raise Left("no database")


async def fail_inside_cleanup(stream):
    try:
        await never(stream)
    except OSError:
        close_database()


class DisconnectedTest(unittest.TestCase):
    """Whose end it was, by what an application lets through: "done", or what it says of a failure."""

    def run_with(self, app, own=True):
        async def main():
            links = Link()
            ours, others = (Http(links, id, {"method": "GET"}, None, False) for id in (1, 2))
            for stream in (ours, others):
                await stream.send({"type": "http.response.start", "status": 200})
            (ours if own else others).frame(link.CANCEL, b"gone")
            await ours.run(lambda *_: app(ours if own else others))
            return links.sent[-1]

        said = asyncio.run(main())
        return said if said == "done" else json.loads(said)["detail"]

    def test_its_own_end_is_no_failure_whatever_a_framework_makes_of_it(self):
        for app in never, give_way, give_way_from:
            self.assertEqual(self.run_with(app), "done", app.__name__)

    @unittest.skipIf(sys.version_info < (3, 11), "groups came with Python 3.11")
    def test_a_group_is_no_failure_if_all_in_it_are_the_end(self):
        async def group(stream, more=()):
            try:
                await never(stream)
            except OSError as error:
                raise ExceptionGroup("tasks", [error, *more])  # noqa: B904, F821

        self.assertEqual(self.run_with(group), "done")
        self.assertIn("KeyError", self.run_with(lambda stream: group(stream, [KeyError("peer")])))

    def test_the_end_of_another_exchange_is_a_failure_with_its_traceback(self):
        for app in never, give_way, give_way_from:
            self.assertIn("Disconnected: gone", self.run_with(app, own=False), app.__name__)

    def test_a_failure_while_it_cleans_up_is_one_with_its_traceback(self):
        self.assertIn("KeyError: 'peer'", self.run_with(fail_in_cleanup))
        self.assertIn("no database", self.run_with(fail_inside_cleanup))


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


class Transport:
    """Is full after each write until it is drained, and says so as transports do."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.written = []

    def set_write_buffer_limits(self, high, low):
        pass

    def write(self, data):
        self.written.append(data)
        self.protocol.pause_writing()


class Owner:
    def lost(self):
        pass

    def idle(self):
        pass


LARGE = 20


class TurnsTest(unittest.TestCase):
    """A link that takes a frame or two at a time: all streams come on, whoever waits for the link or for credit."""

    def within_loop(self, test):
        async def main():
            links = LoopLink(asyncio.get_running_loop(), Owner(), None)
            transport = Transport(links)
            links.connection_made(transport)
            await asyncio.wait_for(test(links, transport), 30)

        asyncio.run(main())

    def stream(self, links, id, credit=LARGE * link.PIECE):
        stream = links.streams[id] = Http(links, id, {"method": "GET"}, None, False)
        stream.frame(link.CREDIT, link.COUNT.pack(credit))
        return stream

    async def begin(self, stream, size):
        await stream.send({"type": "http.response.start", "status": 200})
        await stream.send(body(b"a" * size))

    async def drained(self, links):
        links.resume_writing()
        for _ in range(10):
            await asyncio.sleep(0)

    def test_large_responses_do_not_starve_a_small_one(self):
        async def test(links, transport):
            large = [self.stream(links, id) for id in (1, 2, 3)]
            sending = [asyncio.ensure_future(self.begin(each, LARGE * link.PIECE)) for each in large]
            await self.drained(links)
            await self.begin(self.stream(links, 4), 1)  # does not even wait
            middling = asyncio.ensure_future(self.begin(self.stream(links, 5), link.PIECE))
            for _ in range(5):
                await self.drained(links)
            self.assertTrue(middling.done())
            self.assertFalse(any(each.done() for each in sending))
            while not all(each.done() for each in sending):
                await self.drained(links)

        self.within_loop(test)

    def test_streams_that_wait_for_credit_are_not_woken_for_the_link(self):
        async def test(links, transport):
            await self.drained(links)
            waiting = self.stream(links, 1, credit=0)
            task = asyncio.ensure_future(self.begin(waiting, link.WINDOW + 1))
            for _ in range(4):
                await self.drained(links)
            (future,) = waiting._waiters
            for _ in range(3):
                links.pause_writing()
                await self.drained(links)
            self.assertFalse(future.done())
            waiting.frame(link.CREDIT, link.COUNT.pack(1))
            await self.drained(links)
            await task

        self.within_loop(test)

    def test_one_that_gives_up_its_turn_passes_it_on(self):
        async def test(links, transport):
            streams = [self.stream(links, id) for id in (1, 2)]
            for each in streams:
                await self.begin(each, 20_000)
            await self.drained(links)
            links.pause_writing()
            one, other = (asyncio.ensure_future(each.send(body(b"b"))) for each in streams)
            await asyncio.sleep(0)
            links.resume_writing()
            one.cancel()
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertTrue(one.cancelled())
            self.assertTrue(other.done())

        self.within_loop(test)


if __name__ == "__main__":
    unittest.main()
