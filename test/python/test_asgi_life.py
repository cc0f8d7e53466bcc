"""The life of a worker with an ASGI application: what it is, lifespan, and all the ways to the end."""

import importlib.util
import os
import signal
import sys
import unittest

from front import APPS, PATIENCE, Front
from sallyport import loader

sys.path.insert(0, APPS)


class LifeTest(unittest.TestCase):
    maxDiff = None

    def start(self, app, **settings):
        front = Front(app, **settings)
        self.addCleanup(front.close)
        return front

    def failed(self, app, **settings):
        """The FAILED of a worker that cannot start, which has then ended with 1."""
        front = self.start(app, **settings)
        failure = front.failure()
        self.assertEqual(front.process.wait(PATIENCE), 1)
        return failure

    def end(self, front):
        """What was said by the end that has come."""
        self.assertEqual(front.process.wait(PATIENCE), 0)
        return front.said()

    # What the application is.

    def test_an_application_is_told_by_its_shape(self):
        for name, expected in (
            ("function", "asgi"),
            ("plain", "asgi"),
            ("instance", "asgi"),
            ("method", "asgi"),
            ("partial", "asgi"),
            ("Endpoint", "asgi"),
            ("make()", "asgi"),
            ("wsgi", "wsgi"),
            ("Wsgi", "wsgi"),
            ("anything", "wsgi"),
            ("decorated", "wsgi"),
            ("logged_function", "asgi"),
            ("logged_wsgi", "wsgi"),
        ):
            with self.subTest(name):
                self.assertEqual(loader.choose_interface(loader.load(f"shapes:{name}"), name, None), expected)

    def test_a_callable_that_is_no_coroutine_function_is_served_all_the_same(self):
        front = self.start("shapes:plain", lifespan="off")
        self.assertEqual(front.ready()["interface"], "asgi")
        front.request()
        self.assertEqual(front.response()[2], b"asgi")

    def test_what_is_said_decides_where_a_look_does_not_tell(self):
        for name in ("anything", "deceptive"):
            front = self.start(f"shapes:{name}", interface="asgi", lifespan="off")
            self.assertEqual(front.ready()["interface"], "asgi")
            front.request()
            self.assertEqual(front.response()[2], b"asgi")

    def test_an_ASGI_application_is_not_served_as_WSGI(self):
        self.assertEqual(
            self.failed("shapes:function", interface="wsgi")["message"],
            "shapes:function is an ASGI application; it was to be served as a WSGI application",
        )

    def test_what_cannot_be_called_as_an_application_is_refused_with_its_remedy(self):
        wsgi, asgi = "2 arguments, as WSGI applications are", "3 arguments, as ASGI applications are"
        for name, interface, expected in (
            ("make", None, f"{wsgi}; if it makes the application, say shapes:make()"),
            ("make", "asgi", f"{asgi}; if it makes the application, say shapes:make()"),
            ("container", None, f"{wsgi}; if it makes the application, say shapes:container()"),
            ("make_later", None, asgi),
            ("wsgi", "asgi", asgi),
            ("double", "wsgi", wsgi),
        ):
            with self.subTest(name, interface=interface):
                message = self.failed(f"shapes:{name}", interface=interface)["message"]
                self.assertEqual(message, f"shapes:{name} cannot be called with {expected}")

    def test_ASGI_2_is_named_together_with_its_remedy(self):
        for name in ("Double", "double"):
            message = self.failed(f"shapes:{name}")["message"]
            self.assertIn(f"shapes:{name} takes one argument, as ASGI 2 applications do", message)
            self.assertIn("asgiref.compatibility.guarantee_single_callable", message)

    def test_the_loop_is_uvloop_where_that_is_there_and_not_declined(self):
        there = importlib.util.find_spec("uvloop") is not None
        self.assertEqual(self.start("shapes:function").ready()["loop"], "uvloop" if there else "asyncio")
        self.assertEqual(self.start("shapes:function", loop="asyncio").ready()["loop"], "asyncio")
        if there:
            self.assertEqual(self.start("shapes:function", loop="uvloop").ready()["loop"], "uvloop")
        else:
            self.assertIn("is to be uvloop", self.failed("shapes:function", loop="uvloop")["message"])

    # Startup.

    def test_startup_runs_before_READY_and_shutdown_after_STOP(self):
        front = self.start("lifespans:whole")
        ready = front.ready()
        self.assertEqual(ready["lifespan"], "on")
        self.assertEqual(front.said(), ["startup"])
        front.request()
        self.assertEqual(front.response()[2], b"{'answer': 42}")
        self.assertEqual(front.stop(), 0)
        self.assertEqual(front.said(), ["shutdown"])
        self.assertEqual(front.printed(), "")

    def test_startup_that_failed_is_FAILED_with_what_the_application_says_A8(self):
        for mode in ("auto", "on"):
            failure = self.failed("lifespans:fail_to_start", lifespan=mode)
            self.assertEqual(failure["message"], "the startup failed: OSError: no database")
            self.assertIn("a line", failure["detail"])
        failure = self.failed("lifespans:fail_to_start_in_silence")
        self.assertEqual(failure["message"], "the startup failed; the application gave no reason")

    def test_an_application_that_knows_no_lifespan_is_served_without_A8(self):
        for name, why in (("raise_at_once", "KeyError: 'lifespan'"), ("return_at_once", "it returned")):
            front = self.start(f"lifespans:{name}")
            self.assertEqual(front.ready()["lifespan"], f"unsupported ({why})")
            front.request()
            self.assertEqual(front.response()[2], b"{}")
            self.assertEqual(front.stop(), 0)
            self.assertEqual(front.printed(), "")

    def test_an_application_that_raises_once_told_to_start_is_served_and_complained_of(self):
        for name, why in (("raise_in_startup", "OSError: no database"), ("exit_in_startup", "SystemExit: 3")):
            front = self.start(f"lifespans:{name}")
            self.assertIn(why, front.ready()["lifespan"])
            self.assertEqual(front.stop(), 0)
            self.assertIn("it is served without lifespan", front.printed())
            self.assertIn("lifespans.py", front.printed())

    def test_where_lifespan_must_be_an_application_without_it_cannot_start(self):
        failure = self.failed("lifespans:raise_in_startup", lifespan="on")
        self.assertEqual(failure["message"], "the startup failed: OSError: no database")
        self.assertIn("lifespans.py", failure["detail"])
        self.assertIn("without sending", self.failed("lifespans:return_at_once", lifespan="on")["message"])

    def test_where_lifespan_is_off_nothing_is_told(self):
        front = self.start("lifespans:whole", lifespan="off")
        self.assertEqual(front.ready()["lifespan"], "off")
        self.assertEqual(front.stop(), 0)
        self.assertEqual(front.said(), [])

    def test_what_is_out_of_order_is_refused(self):
        front = self.start("lifespans:send_out_of_order")
        front.ready()
        started = "expected 'lifespan.startup.complete' or 'lifespan.startup.failed'"
        self.assertEqual(
            front.said(),
            [
                f"the application sent 'lifespan.shutdown.complete'; {started}",
                f"the application sent None; {started}",
                f"the application sent None; {started}",
                "the application sent 'lifespan.startup.complete'; expected nothing at all",
            ],
        )

    def test_the_loop_answers_while_the_application_starts(self):
        front = self.start("lifespans:start_slowly")
        front.ping()

    # Shutdown.

    def test_shutdown_that_fails_is_printed_A8(self):
        for name, text in (
            ("fail_to_shut_down", "the shutdown failed: could not let go"),
            ("raise_in_shutdown", "ValueError: raised in shutdown"),
        ):
            front = self.start(f"lifespans:{name}")
            front.ready()
            self.assertEqual(front.stop(), 0)
            self.assertIn(text, front.printed())

    def test_a_lifespan_that_ends_early_is_printed_and_the_application_served(self):
        front = self.start("lifespans:end_early")
        front.ready()
        front.request()
        front.response()
        self.assertEqual(front.stop(), 0)
        self.assertIn("ended before the shutdown\n", front.printed())
        self.assertIn("ValueError: ended early", front.printed())

    def test_STOP_waits_for_the_streams(self):
        front = self.start("script")
        front.ready()
        stream = front.script(("receive", 2), ("send", {"type": "http.response.start", "status": 200}))
        front.send("STOP", 0)
        front.ping()
        front.send("CANCEL", stream)
        front.expect("DONE", stream)
        self.assertEqual(front.process.wait(PATIENCE), 0)

    def test_the_end_of_the_front_is_the_end_of_the_worker_and_shutdown_runs(self):
        front = self.start("lifespans:whole")
        front.ready()
        front.sock.close()
        self.assertEqual(self.end(front), ["startup", "shutdown"])

    def test_the_end_of_the_front_ends_what_is_under_way(self):
        front = self.start("lifespans:ignore_everything")
        front.ready()
        front.request()
        front.ping()
        front.sock.close()
        self.assertEqual(self.end(front), ["startup", "here", "cancelled", "shutdown"])

    def test_SIGTERM_ends_the_worker_and_shutdown_runs(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            front = self.start("lifespans:whole")
            front.ready()
            os.kill(front.process.pid, number)
            self.assertEqual(self.end(front), ["startup", "shutdown"])

    def test_the_end_of_the_front_ends_a_startup(self):
        front = self.start("lifespans:start_slowly")
        while not front.said():
            front.ping()
        front.sock.close()
        self.assertEqual(self.end(front), ["cancelled"])

    def test_an_application_may_end_the_process_from_a_task_and_shutdown_runs(self):
        front = self.start("lifespans:exit_in_task")
        front.ready()
        front.request()
        self.assertEqual(front.process.wait(PATIENCE), 3)
        self.assertEqual(front.said(), ["startup", "shutdown"])


if __name__ == "__main__":
    unittest.main()
