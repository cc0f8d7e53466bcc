"""What is told of an application that blocks its event loop."""

import asyncio
import os
import tempfile
import time
import types
import unittest

from front import PATIENCE, Front
from sallyport.asgi.watchdog import Watchdog

# Seconds that count as blocked, here.
LIMIT = 0.2


class WatchdogTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = os.path.join(directory.name, "go on")

    def start(self, **settings):
        front = Front("script", **settings)
        self.addCleanup(front.close)
        front.ready()
        return front

    def until_printed(self, front, text):
        deadline = time.monotonic() + PATIENCE
        while text not in front.printed():
            self.assertLess(time.monotonic(), deadline, front.printed())
            time.sleep(0.01)

    def go_on(self):
        open(self.file, "w").close()

    def test_a_blocked_loop_is_told_once_with_its_request_and_its_stack(self):
        front = self.start(slowLoop=LIMIT)
        stream = front.script(("block", self.file), path="/stuck", method="POST")
        self.until_printed(front, "in block\n")
        time.sleep(2 * LIMIT)
        self.go_on()
        front.abort(stream)
        self.assertEqual(front.printed().count("It is here:"), 1)
        self.assertIn(f"the event loop has been blocked for {LIMIT} s by POST '/stuck'", front.printed())
        self.assertNotIn("sallyport/asgi", front.printed())

    def test_each_time_is_told(self):
        front = self.start(slowLoop=LIMIT)
        for path in ("/first", "/second"):
            stream = front.script(("block", self.file), path=path)
            self.until_printed(front, path)
            self.go_on()
            front.abort(stream)
            os.unlink(self.file)

    def test_a_task_beside_a_request_is_told_by_its_stack(self):
        front = self.start(slowLoop=LIMIT)
        stream = front.script(("block_in_task", self.file))
        self.until_printed(front, "in block\n")
        self.go_on()
        front.abort(stream)

    def test_a_WebSocket_is_named_by_its_path(self):
        front = self.start(slowLoop=LIMIT)
        stream = front.websocket_script(("block", self.file), path="/chat")
        self.until_printed(front, "by a WebSocket of '/chat'")
        self.go_on()
        front.abort(stream)

    def test_a_startup_and_a_shutdown_that_block_the_loop_keep_nobody_waiting_and_are_not_told(self):
        front = Front("lifespans:blocks_at_both_ends", slowLoop=LIMIT)
        self.addCleanup(front.close)
        front.ready()
        front.request()
        front.response()
        self.assertEqual(front.stop(), 0)
        self.assertEqual(front.printed(), "")

    def test_it_sleeps_while_nothing_goes_on_and_wakes_again(self):
        async def main():
            watchdog = Watchdog(asyncio.get_running_loop(), 0.01)
            link = types.SimpleNamespace(streams={1: None}, batch=0)
            self.assertFalse(watchdog.asleep)
            watchdog.begin()
            self.assertTrue(watchdog.asleep)
            for _ in range(2):
                link.streams[1] = None
                watchdog.wake(link)
                await asyncio.sleep(0.05)
                self.assertFalse(watchdog.asleep)
                link.streams.clear()
                while not watchdog.asleep:
                    await asyncio.sleep(0.001)

        asyncio.run(asyncio.wait_for(main(), PATIENCE))

    def test_without_a_limit_there_is_no_watchdog(self):
        watchdog = Watchdog(None, 0)
        watchdog.begin()
        self.assertFalse(watchdog.asleep)


if __name__ == "__main__":
    unittest.main()
