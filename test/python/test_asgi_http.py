"""HTTP as ASGI applications have it: what a worker makes of scopes, messages, violations and the end of clients."""

import os
import sys
import time
import unittest

from front import APPS, Front, link

PLAIN = [(b"content-type", b"text/plain")]


def start(status=200, headers=PLAIN, **more):
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def body(data=b"", more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


class OneWorker(unittest.TestCase):
    """All tests of a class on one worker."""

    maxDiff = None
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.front = Front("script", **cls.settings)
        cls.addClassCleanup(cls.front.close)
        cls.front.ready()

    def setUp(self):
        self.addCleanup(self.front.said)

    def sends(self, *messages, **scope):
        """A request whose application sends these."""
        return self.front.script(*(("send", message) for message in messages), **scope)

    def refused(self, message, *messages, error="APP_PROTOCOL", frames=(), **scope):
        stream = self.sends(*messages, **scope)
        for frame in frames:
            self.front.expect(frame, stream)
        failure = self.front.abort(stream)
        self.assertIn(message, failure["message"])
        self.assertEqual(failure["error"], error)
        return failure


class HttpTest(OneWorker):
    # Scopes.

    def test_the_scope_has_what_the_front_says_and_what_the_specification_adds(self):
        stream = self.front.script(("show_scope",), ("send", start()), ("send", body()), trailers=True, tls={"a": 1})
        self.front.response(stream)
        (scope,) = self.front.said()
        self.assertEqual(scope["asgi"], {"version": "3.0", "spec_version": "2.5"})
        self.assertEqual(scope["state"], {})
        self.assertEqual(
            scope["extensions"],
            {
                "http.response.early_hint": {},
                "http.response.trailers": {},
                "tls": {"a": 1},
            },
        )
        self.assertEqual((scope["path"], scope["raw_path"], scope["client"]), ("/", "/", ["192.0.2.1", 4711]))
        self.assertFalse({"tls", "body", "trailers"} & set(scope))

    def test_what_an_application_does_to_its_scope_is_not_seen_by_others(self):
        self.front.abort(self.front.script(("spoil_scope",)))
        self.front.response(self.front.script(("show_scope",), ("send", start()), ("send", body())))
        (scope,) = self.front.said()
        self.assertNotIn("spoilt", {**scope["state"], **scope["extensions"], **scope["asgi"]})

    def test_the_application_runs_in_a_task(self):
        self.front.response(self.front.script(("look_at_task",), ("send", start()), ("send", body())))
        self.assertEqual(self.front.said(), [[True, True]])

    # Responses.

    def test_a_response_in_one_go_is_one_frame(self):
        stream = self.sends(start(headers=[(b"x-a", b"1"), (b"X-A", b"\xe9")]), body(b"hello"))
        self.assertEqual(self.front.expect("RESPONSE", stream), b"\x16\0\0\0\x00200\r\nx-a: 1\r\nx-a: \xe9\r\nhello")

    def test_what_follows_the_response_is_the_applications_own_time(self):
        stream = self.front.script(("send", start()), ("send", body(b"hello")), ("wait", 0.05))
        self.front.expect("ANSWER", stream)
        self.front.expect("DONE", stream)

    def test_a_response_in_pieces_is_a_head_chunks_and_an_end(self):
        stream = self.sends(start(), body(b"one", True), body(b"", True), body(b"two"))
        self.assertEqual(self.front.expect("HEAD", stream), b"\x00200\r\ncontent-type: text/plain\r\n")
        self.assertEqual(self.front.expect("CHUNK", stream), b"one")
        self.assertEqual(self.front.expect("CHUNK", stream), b"two")
        self.front.expect("END", stream)
        self.front.expect("DONE", stream)

    def test_a_head_does_not_wait_long_for_its_body(self):
        stream = self.front.script(("send", start()), ("receive", 2), ("send", body(b"late")))
        self.front.expect("HEAD", stream)  # the application still waits for the end of the client
        self.front.send("LEAVE", stream)
        self.assertEqual(self.front.expect("CHUNK", stream), b"late")
        self.front.expect("END", stream)

    def test_a_large_body_leaves_in_pieces(self):
        data = bytes(range(256)) * 1000
        status, _, got = self.front.response(self.sends(start(), body(data)))
        self.assertEqual((status, got), ("200", data))

    def test_keys_that_are_optional_may_be_missing(self):
        stream = self.sends({"type": "http.response.start", "status": 204}, {"type": "http.response.body"})
        self.assertEqual(self.front.response(stream), ("204", [], b""))

    def test_an_empty_or_missing_list_of_headers_is_none(self):
        self.assertEqual(self.front.response(self.sends(start(headers=[]), body(b"x"))), ("200", [], b"x"))

    def test_what_is_the_servers_affair_is_left_out_of_the_headers(self):
        headers = [(b"Transfer-Encoding", b"chunked"), (b"connection", b"keep-alive"), (b"x", b"y")]
        self.assertEqual(self.front.response(self.sends(start(headers=headers), body()))[1], [(b"x", b"y")])

    def test_the_wish_that_the_connection_be_closed_is_passed_on_but_not_in_trailers(self):
        for value in (b"close", b"Keep-Alive , CLOSE"):
            stream = self.sends(start(headers=[(b"Connection", value)]), body())
            self.assertEqual(self.front.response(stream)[1], [(b"connection", b"close")])
        closed = [(b"connection", b"closed")]
        self.assertEqual(self.front.response(self.sends(start(headers=closed), body()))[1], [])
        trailers = {"type": "http.response.trailers", "headers": [(b"connection", b"close"), (b"x", b"y")]}
        stream = self.sends(start(trailers=True), body(b"x"), trailers, trailers=True)
        self.front.expect("HEAD", stream)
        self.front.expect("CHUNK", stream)
        self.assertEqual(self.front.expect("END", stream), b"x\ny")
        self.front.expect("DONE", stream)

    def test_HEAD_204_and_304_have_no_body_whatever_the_application_sends(self):
        length = [(b"content-length", b"5")]
        stream = self.sends(start(headers=length), body(b"hello"), method="HEAD")
        self.assertEqual(self.front.response(stream), ("200", length, b""))
        stream = self.sends(start(headers=length), body(b"hello", True), body(b"and more"), method="HEAD")
        self.assertEqual(self.front.response(stream), ("200", length, b""))
        for status in (204, 304):
            self.assertEqual(self.front.response(self.sends(start(status, []), body(b"x")))[2], b"")

    def test_bytes_like_bodies_and_headers_are_as_good_as_bytes(self):
        headers = [(b"content-length", b"5"), (b"x-a", b"1")]
        whole = b"\x01200\r\ncontent-length: 5\r\nx-a: 1\r\n"
        for kind in ("bytearray", "memoryview", "of a class"):
            stream = self.front.script(*(("send as", kind, each) for each in (start(headers=headers), body(b"array"))))
            self.assertEqual(self.front.expect("RESPONSE", stream)[4:], whole + b"array")
            stream = self.front.script(("send as", kind, start(headers=headers)), ("send", body(b"array!")))
            self.assertIn("longer than its content-length of 5", self.front.abort(stream)["message"])

    def test_trailers_follow_the_body_where_the_client_takes_them(self):
        sent = {"type": "http.response.trailers", "headers": [(b"x-sum", b"4")], "more_trailers": True}
        rest = {"type": "http.response.trailers", "headers": [(b"X-more", b"5")]}
        for takes, expected in ((True, b"x-sum\n4\nx-more\n5"), (False, b"")):
            stream = self.sends(start(trailers=True), body(b"x"), sent, rest, trailers=takes)
            self.front.expect("HEAD", stream)
            self.front.expect("CHUNK", stream)
            self.assertEqual(self.front.expect("END", stream), expected)
            self.front.expect("DONE", stream)

    def test_early_hints_go_out_before_the_head_and_are_dropped_after_it(self):
        hint = {"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>"]}
        stream = self.sends(hint, start(), hint, body(b"x", True), hint, body())
        for _ in range(2):
            self.assertEqual(
                self.front.expect("INFORM", stream), b"\x00103\r\nlink: </a>; rel=preload\r\nlink: </b>\r\n"
            )
        self.assertEqual(self.front.response(stream)[2], b"x")

    # Request bodies.

    def test_a_request_without_a_body_is_complete_at_once(self):
        self.front.response(self.front.script(("receive",), ("send", start()), ("send", body())))
        self.assertEqual(self.front.said(), [{"type": "http.request", "body": "", "more_body": False}])

    def test_a_small_body_comes_with_the_request(self):
        self.front.response(self.front.script(("receive",), ("send", start()), ("send", body()), body=b"a=1"))
        self.assertEqual(self.front.said()[0]["body"], "a=1")

    def test_a_large_body_comes_as_it_is_asked_for(self):
        stream = self.front.script(("receive_until", "http.disconnect"), ("send", start()), body=None)
        asked, sent = 0, 0
        while sent < 3 * link.WINDOW:
            while asked - sent < link.PIECE:
                asked += link.COUNT.unpack(self.front.expect("WANT", stream))[0]
                self.assertLessEqual(asked - sent, link.WINDOW)
            self.front.send("BODY", stream, b"x" * link.PIECE)
            sent += link.PIECE
        self.front.send("BODY_END", stream)
        self.front.ping()
        self.front.send("CANCEL", stream)
        while self.front.read(stream)[0] == "WANT":
            pass
        self.assertEqual(self.front.said(), [["http.disconnect", sent]])

    def test_the_last_piece_says_so_or_an_empty_one_follows(self):
        stream = self.front.script(("receive", 2), ("send", start()), ("send", body()), body=None)
        self.front.expect("WANT", stream)
        self.front.send("BODY", stream, "ab")
        self.front.ping()
        self.front.send("BODY_END", stream)
        self.front.response(stream)
        pieces = [(message["body"], message["more_body"]) for message in self.front.said()]
        self.assertEqual(pieces, [("ab", True), ("", False)])

    def test_a_body_that_no_one_receives_is_not_asked_for(self):
        stream = self.sends(start(), body(b"no, thanks"), body=None)
        self.assertEqual(self.front.response(stream)[2], b"no, thanks")

    # The end of the client.

    def test_receive_waits_for_the_end_of_the_client_after_the_body_A4(self):
        stream = self.front.script(("receive", 2))
        self.front.ping()
        self.assertEqual(len(self.front.said()), 1)
        self.front.send("CANCEL", stream, "the client left")
        self.front.expect("DONE", stream)
        self.assertEqual(self.front.said(), [{"type": "http.disconnect"}])

    def test_receive_that_was_cancelled_loses_nothing(self):
        stream = self.front.script(("receive_briefly",), ("receive",), ("send", start()), ("send", body()), body=None)
        self.front.expect("WANT", stream)
        while self.front.said() != ["nothing"]:
            self.front.ping()
        self.front.send("BODY", stream, "late")
        self.front.send("BODY_END", stream)
        self.front.response(stream)
        self.assertEqual(self.front.said()[0]["body"], "late")

    def test_the_end_of_the_client_comes_before_what_is_left_of_the_body(self):
        with self.front.together():
            stream = self.front.script(("wait", 0), ("receive", 2), body=b"never looked at")
            self.front.send("CANCEL", stream)
        self.front.expect("DONE", stream)
        self.assertEqual(self.front.said(), [{"type": "http.disconnect"}] * 2)

    def test_receive_after_the_response_is_a_disconnect(self):
        stream = self.front.script(("send", start()), ("send", body()), ("receive", 2), body=b"x")
        self.front.response(stream)
        self.assertEqual(self.front.said(), [{"type": "http.disconnect"}] * 2)

    def test_a_receive_that_waits_hears_of_the_end_of_the_response(self):
        messages = [start(), body()]
        stream = self.front.script(("receive",), ("receive_while_sending", *messages))
        self.front.response(stream)
        self.assertEqual(self.front.said()[1:], [{"type": "http.disconnect"}])

    def test_what_is_there_is_received_without_waiting(self):
        stream = self.front.script(("peek", 2), ("receive",), ("peek", 2))
        self.front.ping()
        self.front.send("CANCEL", stream)
        self.front.expect("DONE", stream)
        kinds = [said if said == "nothing" else said["type"] for said in self.front.said()]
        self.assertEqual(kinds, ["http.request", "nothing", *["http.disconnect"] * 3])

    def test_asking_on_and_on_after_the_end_does_not_stop_the_loop(self):
        stream = self.front.script(("receive", 10_000))
        self.front.send("CANCEL", stream)
        self.front.expect("DONE", stream)

    def test_send_after_the_client_left_raises_an_OSError_A5(self):
        stream = self.front.script(("receive", 2), ("try", start()), ("send", start()))
        self.front.send("CANCEL", stream, "the client went away")
        self.front.expect("DONE", stream)  # what send() raised is no error of the application's
        self.assertEqual(self.front.said()[2], ["Disconnected", "the client went away", True])

    def test_so_does_what_would_be_out_of_order(self):
        """The MCP SDK ends its event streams with an empty response, whether one has begun or not."""
        for again in (start(), {"type": "http.response.trailers"}):
            stream = self.front.script(("send", start()), ("send", body(b"x", True)), ("receive", 2), ("send", again))
            self.front.expect("HEAD", stream)
            self.front.expect("CHUNK", stream)
            self.front.send("CANCEL", stream)
            self.front.expect("DONE", stream)

    def test_what_a_framework_makes_of_that_OSError_is_no_error_either(self):
        stream = self.front.script(("receive", 2), ("wrap_error", start()))
        self.front.send("CANCEL", stream)
        self.front.expect("DONE", stream)

    def test_other_errors_after_the_client_left_are_told(self):
        stream = self.front.script(("receive", 2), ("fail",))
        self.front.send("CANCEL", stream)
        self.assertEqual(self.front.abort(stream)["message"], "ValueError: told to fail")

    def test_when_the_server_leaves_the_body_is_still_received_and_the_response_still_sent(self):
        stream = self.front.script(("receive", 3), ("send", start()), ("send", body(b"bye")), body=None)
        self.front.expect("WANT", stream)
        self.front.send("LEAVE", stream)
        self.front.send("BODY", stream, "x")
        self.front.ping()
        self.front.send("BODY_END", stream)
        self.assertEqual(self.front.response(stream)[2], b"bye")
        kinds = [message["type"] for message in self.front.said()]
        self.assertEqual(kinds, ["http.request", "http.request", "http.disconnect"])

    # Flow control.

    def test_send_waits_for_a_slow_client_A9(self):
        data = b"x" * (3 * link.WINDOW)
        stream = self.front.script(("send", start()), ("try", body(data, True)), ("send", body()))
        self.front.expect("HEAD", stream)
        got = 0
        while got < link.WINDOW:
            got += len(self.front.expect("CHUNK", stream))
        self.front.ping()
        self.assertEqual((got, self.front.said()), (link.WINDOW, []))
        self.front.send("CREDIT", stream, link.COUNT.pack(100))
        self.assertEqual(len(self.front.expect("CHUNK", stream)), 100)
        self.front.send("CREDIT", stream, link.COUNT.pack(len(data)))
        while (frame := self.front.read(stream))[0] != "END":
            got += len(frame[1])
        self.assertEqual((got + 100, self.front.said()), (len(data), ["sent"]))

    def test_an_application_that_returns_because_the_server_leaves_is_not_to_blame(self):
        steps = (("send", start()), ("send", body(b"x", True)), ("receive", 2))
        stream = self.front.script(*steps)
        self.front.expect("HEAD", stream)
        self.front.expect("CHUNK", stream)
        self.front.send("LEAVE", stream)
        self.front.expect("DONE", stream)

    def test_nor_is_one_that_has_sent_no_body_yet(self):
        stream = self.front.script(("send", start()), ("receive", 2))
        self.front.expect("HEAD", stream)
        self.front.send("LEAVE", stream)
        self.front.expect("DONE", stream)

    @unittest.skipIf(sys.version_info < (3, 11), "task groups came with Python 3.11")
    def test_a_client_that_left_is_no_error_of_a_task_group_either(self):
        stream = self.front.script(("send", start()), ("receive", 2), ("send in a group", body(b"x")))
        self.front.expect("HEAD", stream)
        self.front.send("CANCEL", stream)
        self.front.expect("DONE", stream)

    def test_after_the_last_moment_send_raises_an_OSError(self):
        steps = (
            ("send", start()),
            ("send", body(b"x", True)),
            ("receive", 2),
            ("try", body(b"bye", True)),
            ("wait", 0.1),
        )
        stream = self.front.script(*steps, ("send", body(b"again", True)))
        self.front.expect("HEAD", stream)
        self.front.expect("CHUNK", stream)
        self.front.send("LEAVE", stream)
        self.front.expect("CHUNK", stream)
        self.front.send("CANCEL", stream, "the server leaves")
        self.front.expect("DONE", stream)
        self.assertEqual(self.front.said()[2:], ["sent"])

    def test_an_application_that_does_not_hear_that_the_server_leaves_is_cancelled(self):
        for open_stream, first in ((self.front.script, "http"), (self.front.websocket_script, "websocket")):
            with self.subTest(first):
                begin = ("send", start()) if first == "http" else ("send", {"type": "websocket.accept"})
                stream = open_stream(begin, ("wait", 3600))
                self.front.expect("HEAD" if first == "http" else "ACCEPT", stream)
                self.front.send("LEAVE", stream)
                if first == "http":
                    self.front.send("CANCEL", stream, "the server leaves")
                else:
                    self.front.close_with(stream, 1012)
                self.front.expect("DONE", stream)

    def test_a_send_that_waits_is_told_when_the_client_leaves(self):
        stream = self.front.script(("send", start()), ("try", body(b"x" * 2 * link.WINDOW, True)))
        self.front.expect("HEAD", stream)
        for _ in range(link.WINDOW // link.PIECE):
            self.front.expect("CHUNK", stream)
        self.front.send("CANCEL", stream, "gone")
        self.front.expect("DONE", stream)
        self.assertEqual(self.front.said(), [["Disconnected", "gone", True]])

    def test_large_pieces_of_two_tasks_are_not_mixed(self):
        a, b = b"a" * link.WINDOW, b"b" * link.WINDOW
        steps = (("send", start()), ("send_two", body(a, True), body(b, True)), ("send", body()))
        self.assertEqual(self.front.response(self.front.script(*steps))[2], a + b)

    def test_send_waits_while_the_front_reads_nothing_at_all(self):
        steps = [("send", start()), *[("try", body(b"x" * link.PIECE, True))] * 4, ("send", body())]
        streams = [self.front.script(*steps) for _ in range(40)]
        sent, before = 0, -1
        while sent != before:
            before = sent
            time.sleep(0.2)  # for as long as anything goes on
            sent += len(self.front.said())
        self.assertLess(sent, 100)
        for stream in streams:
            self.assertEqual(len(self.front.response(stream)[2]), 4 * link.PIECE)
        self.assertEqual(sent + len(self.front.said()), 160)

    def test_a_piece_that_is_given_up_in_the_middle_cuts_the_response(self):
        steps = (("send", start()), ("send_briefly", body(b"x" * 2 * link.WINDOW, True)))
        for last in ((), (("send", body()),)):
            stream = self.front.script(*steps, *last)
            self.front.expect("HEAD", stream)
            for _ in range(link.WINDOW // link.PIECE):
                self.front.expect("CHUNK", stream)
            self.assertIn("in the middle", self.front.abort(stream)["message"])

    def test_a_piece_that_is_given_up_before_any_of_it_has_left_is_just_not_sent(self):
        steps = (("send", body(b"x" * link.WINDOW, True)), ("send_briefly", body(b"lost", True)), ("send", body(b"!")))
        self.assertEqual(self.slowly_read(self.front.script(("send", start()), *steps)), b"x" * link.WINDOW + b"!")

    def slowly_read(self, stream):
        """Reads on once the application has given up."""
        while self.front.said() != ["gave up"]:
            self.front.ping()
        return self.front.response(stream)[2]

    def test_one_stream_without_credit_does_not_hold_up_another(self):
        stuck = self.sends(start(), body(b"x" * 2 * link.WINDOW))
        self.front.expect("HEAD", stuck)
        self.assertEqual(self.front.response(self.sends(start(), body(b"free")))[2], b"free")
        self.front.send("CANCEL", stuck)
        while self.front.read(stuck)[0] != "DONE":
            pass

    # Violations. Nothing but the ABORT reaches the wire.

    def test_messages_out_of_order_are_errors_that_say_what_was_expected_A1(self):
        first = "expected 'http.response.start' or 'http.response.early_hint'"
        self.refused(f"the application sent 'http.response.body'; {first}", body(b"early"))
        self.refused(
            "sent 'http.response.start'; expected 'http.response.body' or 'http.response.early_hint'",
            start(),
            start(),
        )
        self.refused(
            "sent 'http.response.start'; expected", start(), body(b"x", True), start(), frames=["HEAD", "CHUNK"]
        )
        early = self.sends(start(trailers=True), body(b"x"), body(b"y"))
        self.front.expect("HEAD", early)
        self.front.expect("CHUNK", early)
        self.assertIn("expected 'http.response.trailers'", self.front.abort(early)["message"])

    def test_a_message_after_the_last_is_an_error_and_the_response_stands_A1(self):
        stream = self.front.script(("send", start()), ("send", body(b"x")), ("try", body(b"y")), ("send", start()))
        self.front.expect("ANSWER", stream)
        self.assertIn("'http.response.start', after the last message of all", self.front.abort(stream)["message"])
        self.assertIn("'http.response.body', after the last message of all", self.front.said()[0][1])

    def test_an_application_that_returns_too_early_is_told_what_is_missing_A2(self):
        self.refused("returned without sending 'http.response.start'")
        self.refused("returned without sending 'http.response.body'", start())
        failure = self.refused(
            "without sending 'http.response.body'", start(), body(b"x", True), frames=["HEAD", "CHUNK"]
        )
        self.assertFalse(failure["leaving"])

    def test_an_exception_is_told_with_the_applications_traceback(self):
        failure = self.front.abort(self.front.script(("fail", "of all things")))
        self.assertEqual((failure["error"], failure["message"]), ("APP_RAISED", "ValueError: of all things"))
        self.assertIn("script.py", failure["detail"])
        self.assertNotIn("sallyport/asgi", failure["detail"])

    def test_an_exception_after_the_start_cuts_the_response_A3(self):
        stream = self.front.script(("send", start()), ("fail",))
        self.assertEqual(self.front.abort(stream)["error"], "APP_RAISED")  # the head had not left: 500
        stream = self.front.script(("send", start()), ("send", body(b"x", True)), ("fail",))
        self.front.expect("HEAD", stream)
        self.front.expect("CHUNK", stream)
        self.front.abort(stream)

    def test_nothing_follows_an_error(self):
        stream = self.front.script(("send", start()), ("wait", 0), ("fail",))
        if self.front.read(stream)[0] == "HEAD":  # on a slow machine
            self.front.abort(stream)
        later = self.front.script(("wait", 0.02), ("send", start()), ("send", body()))
        self.front.response(later)  # heads that wait for their bodies have left by now
        self.assertEqual(self.front.unread(stream), [])

    def test_SystemExit_ends_the_request_and_not_the_worker_W13(self):
        failure = self.front.abort(self.front.script(("leave",)))
        self.assertEqual((failure["message"], failure["leaving"]), ("SystemExit: 3", False))
        self.assertEqual(self.front.response(self.sends(start(), body(b"alive")))[2], b"alive")

    def test_what_is_no_message_is_refused_A6(self):
        for message in (None, [], "text", {}, {"kind": "http.response.start"}):
            self.refused("send() was given", message)
        self.refused("sent 'http.response.nonsense'", {"type": "http.response.nonsense"})
        self.refused("sent 7", {"type": 7})
        self.refused("sent 'websocket.accept'", {"type": "websocket.accept"})

    def test_wrong_values_are_refused_before_anything_leaves_A6(self):
        cases = [
            ("'http.response.start' has no 'status'", {"type": "http.response.start"}),
            ("'status' must be an int, not str", start("200")),
            ("'status' must be an int, not bool", start(True)),
            ("'status' must be from 200 to 599, not 101", start(101)),
            ("'status' must be from 200 to 599, not 600", start(600)),
            ("'status' must be from 200 to 599, not 1000", start(1000)),
            ("a header's name must be bytes, not str: 'x'", start(headers=[("x", b"y")])),
            ("a header's value must be bytes, not str: 'y'", start(headers=[(b"x", "y")])),
            ("a header's value must be bytes, not NoneType: None", start(headers=[(b"x", None)])),
            ("pairs (name, value) of bytes", start(headers=[b"x"])),
            ("pairs (name, value) of bytes", start(headers=[(b"x", b"y", b"z")])),
            ("'headers' must be a list of (name, value) pairs, not int", start(headers=7)),
            ("b'' is not a header name", start(headers=[(b"", b"y")])),
            ("b':status' is not a header name", start(headers=[(b":status", b"200")])),
            ("b'x y' is not a header name", start(headers=[(b"x y", b"z")])),
            (
                "must not hold control characters: b'a\\r\\nSet-Cookie: b'",
                start(headers=[(b"x", b"a\r\nSet-Cookie: b")]),
            ),
            ("must not hold control characters: b'\\x00'", start(headers=[(b"x", b"\0")])),
            ("content-length must be a number in bytes, not b'-1'", start(headers=[(b"content-length", b"-1")])),
            ("content-length is given twice", start(headers=[(b"content-length", b"1"), (b"Content-Length", b"1")])),
        ]
        for expected, message in cases:
            with self.subTest(expected):
                self.refused(expected, message)
        self.refused("'body' of 'http.response.body' must be bytes, not str", start(), body("text"))
        self.refused("'body' of 'http.response.body' must be bytes, not NoneType", start(), body(None))

    def test_a_body_is_as_long_as_its_content_length(self):
        five = start(headers=[(b"content-length", b"5")])
        self.assertEqual(self.front.response(self.sends(five, body(b"12", True), body(b"345")))[2], b"12345")
        self.refused("longer than its content-length of 5", five, body(b"123456"))
        self.refused("ends after 4 bytes; its content-length is 5", five, body(b"1234"))
        self.refused("longer than", five, body(b"1234", True), body(b"56"), frames=["HEAD", "CHUNK"])
        self.refused("ends after 4", five, body(b"1234", True), body(), frames=["HEAD", "CHUNK"])

    def test_an_application_may_mend_what_was_refused(self):
        steps = (("try", body(b"early")), ("try", start("200")), ("send", start()), ("send", body(b"mended")))
        self.assertEqual(self.front.response(self.front.script(*steps))[2], b"mended")
        self.assertEqual([said[0] for said in self.front.said()], ["ProtocolError", "ProtocolTypeError"])

    def test_a_file_is_not_offered_and_refused_unless_it_was_asked_for(self):
        pathsend = {"type": "http.response.pathsend", "path": "/tmp/x"}
        self.refused("sent 'http.response.pathsend'; expected 'http.response.body'", start(), pathsend)


class FileTest(OneWorker):
    """The extension http.response.pathsend."""

    settings = {"pathsend": True}

    def test_it_is_offered_beside_the_others(self):
        self.front.response(self.front.script(("show_scope",), ("send", start()), ("send", body())))
        (scope,) = self.front.said()
        self.assertEqual(scope["extensions"], {"http.response.early_hint": {}, "http.response.pathsend": {}})

    def test_a_path_is_a_str(self):
        for path in (None, b"/bytes"):
            pathsend = {"type": "http.response.pathsend", "path": path}
            self.refused("'path' of 'http.response.pathsend' must be a str", start(), pathsend)

    def test_a_file_is_the_servers_to_send_and_has_been_opened_when_send_returns(self):
        stream = self.sends(start(), {"type": "http.response.pathsend", "path": "/tmp/\u00e9.txt"})
        self.front.expect("HEAD", stream)
        self.assertEqual(self.front.expect("FILE", stream), "/tmp/\u00e9.txt".encode())
        self.assertEqual(self.front.unread(stream), [])
        self.front.send("CREDIT", stream, link.COUNT.pack(1))
        self.front.expect("END", stream)
        self.front.expect("DONE", stream)

    def test_a_file_that_cannot_be_read_and_a_client_that_left_are_an_OSError(self):
        pathsend = {"type": "http.response.pathsend", "path": "/tmp/x"}
        for reason, told in (("the file /tmp/x cannot be read", None), ("", "the client closed the connection")):
            stream = self.front.script(("send", start()), ("try", pathsend), ("try", body()))
            self.front.expect("HEAD", stream)
            self.front.expect("FILE", stream)
            self.front.send("CANCEL", stream, reason)
            self.front.expect("DONE", stream)
            self.assertEqual(self.front.said(), [["Disconnected", told or reason, True]] * 2)

    def test_a_file_that_the_application_gave_up_on_leaves_nothing_to_say(self):
        pathsend = {"type": "http.response.pathsend", "path": "/tmp/x"}
        stream = self.front.script(("send", start()), ("send_briefly", pathsend), ("send", body()))
        self.front.expect("HEAD", stream)
        self.front.expect("FILE", stream)
        self.assertIn("after a message that it gave up in the middle", self.front.abort(stream)["message"])

    def test_a_relative_path_is_meant_from_the_workers_directory(self):
        stream = self.sends(start(), {"type": "http.response.pathsend", "path": "script.py"})
        self.front.expect("HEAD", stream)
        self.assertEqual(self.front.expect("FILE", stream), os.path.realpath(os.path.join(APPS, "script.py")).encode())
        self.front.send("CREDIT", stream, link.COUNT.pack(1))
        self.front.expect("END", stream)
        self.front.expect("DONE", stream)

    def test_a_file_is_not_sent_for_HEAD(self):
        stream = self.sends(start(), {"type": "http.response.pathsend", "path": "/tmp/x"}, method="HEAD")
        self.assertEqual(self.front.response(stream)[2], b"")


if __name__ == "__main__":
    unittest.main()
