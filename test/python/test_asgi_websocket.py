"""WebSockets as ASGI applications have them."""

import time
import unittest

from front import PATIENCE, Front, link

ACCEPT = {"type": "websocket.accept"}


def text(data):
    return {"type": "websocket.send", "text": data}


def binary(data):
    return {"type": "websocket.send", "bytes": data}


def close(**more):
    return {"type": "websocket.close", **more}


class WebSocketTest(unittest.TestCase):
    """All on one worker."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.front = Front("script")
        cls.addClassCleanup(cls.front.close)
        cls.front.ready()

    def setUp(self):
        self.before = []
        self.addCleanup(self.front.said)

    def opened(self, *steps, **scope):
        """A WebSocket that was accepted, and what its application does then."""
        stream = self.front.websocket_script(("receive",), ("send", ACCEPT), *steps, **scope)
        self.front.expect("ACCEPT", stream)
        self.before = self.said()
        self.assertEqual(self.before.pop(0), {"type": "websocket.connect"})
        return stream

    def said(self):
        """What the application has printed, after the connect event of `opened`."""
        lines, self.before = self.before + self.front.said(), []
        return lines

    def until_said(self, count):
        """Waits until the application has printed so many lines."""
        lines = []
        end = time.monotonic() + PATIENCE
        while len(lines) < count and time.monotonic() < end:
            lines += self.said()
            time.sleep(0.005)
        self.assertEqual(len(lines), count)

    # The handshake.

    def test_the_scope_has_the_version_and_the_denial_extension(self):
        stream = self.front.websocket_script(("show_scope",), ("send", close()), tls={"a": 1}, subprotocols=["a"])
        self.front.response(stream)
        (scope,) = self.said()
        self.assertEqual(scope["asgi"], {"version": "3.0", "spec_version": "2.5"})
        self.assertEqual(scope["extensions"], {"websocket.http.response": {}, "tls": {"a": 1}})
        self.assertEqual((scope["type"], scope["scheme"], scope["subprotocols"]), ("websocket", "ws", ["a"]))

    def test_an_acceptance_has_the_subprotocol_and_the_headers(self):
        choice = {**ACCEPT, "subprotocol": "b", "headers": [(b"X-A", b"1")]}
        stream = self.front.websocket_script(("send", choice), subprotocols=["a", "b"])
        self.assertEqual(self.front.expect("ACCEPT", stream), b"b\nx-a\n1")
        self.front.expect("DONE", stream)

    def test_an_acceptance_of_nothing_in_particular_is_empty(self):
        for choice in (ACCEPT, {**ACCEPT, "subprotocol": None, "headers": []}):
            stream = self.front.websocket_script(("send", choice), subprotocols=["a"])
            self.assertEqual(self.front.expect("ACCEPT", stream), b"")
            self.front.expect("DONE", stream)

    def test_close_before_accept_is_403_A10(self):
        stream = self.front.websocket_script(("receive",), ("send", close()), ("try", ACCEPT), ("receive",))
        self.assertEqual(self.front.response(stream), ("403", [], b""))
        refused, message = self.said()[1:]
        self.assertIn("'websocket.accept', after the last message of all", refused[1])
        self.assertEqual(message, {"type": "websocket.disconnect", "code": 1006, "reason": ""})

    def test_a_WebSocket_may_be_turned_down_with_a_whole_response(self):
        stream = self.front.websocket_script(
            ("send", {"type": "websocket.http.response.start", "status": 418, "headers": [(b"x", b"y")]}),
            ("send", {"type": "websocket.http.response.body", "body": b"short and ", "more_body": True}),
            ("send", {"type": "websocket.http.response.body", "body": b"stout"}),
        )
        self.assertEqual(self.front.response(stream), ("418", [(b"x", b"y")], b"short and stout"))

    def test_the_client_may_leave_before_the_handshake_is_complete(self):
        stream = self.front.websocket_script(("receive", 2), ("try", ACCEPT))
        self.front.send("CANCEL", stream)
        self.front.expect("DONE", stream)
        reason = "the client closed the connection"
        _, message, refused = self.said()
        self.assertEqual(message, {"type": "websocket.disconnect", "code": 1006, "reason": reason})
        self.assertEqual(refused[::2], ["Disconnected", True])

    # Messages.

    def test_messages_arrive_as_text_or_bytes(self):
        stream = self.opened(("receive", 4), ("send", close()))
        self.front.send("TEXT", stream, "gr\u00fc\u00df")
        self.front.send("BINARY", stream, b"\0\xff")
        self.front.send("TEXT", stream)
        self.front.send("BINARY", stream)
        self.front.expect("CLOSE_OUT", stream)
        messages = [{name: message[name] for name in message if name != "type"} for message in self.said()]
        self.assertEqual(messages, [{"text": "gr\u00fc\u00df"}, {"bytes": "\0\xff"}, {"text": ""}, {"bytes": ""}])

    def test_a_message_in_pieces_arrives_whole(self):
        stream = self.opened(("receive", 2), ("send", close()))
        data = "\u00fc".encode()
        self.front.send("BODY", stream, data[:1])
        self.front.send("BODY", stream, data[1:])
        self.front.send("TEXT", stream, "!")
        self.front.send("BODY", stream, "a")
        self.front.send("BINARY", stream, "b")
        self.front.expect("CLOSE_OUT", stream)
        self.assertEqual([message.get("text", message.get("bytes")) for message in self.said()], ["\u00fc!", "ab"])

    def test_messages_leave_as_text_or_binary(self):
        stream = self.opened(
            ("send", text("gr\u00fc\u00df")),
            ("send", binary(b"\0\xff")),
            ("send", {**text(""), "bytes": None}),
            *(("send as", kind, {**binary(b"b"), "text": None}) for kind in ("bytearray", "memoryview", "of a class")),
        )
        self.assertEqual(self.front.expect("TEXT_OUT", stream), "gr\u00fc\u00df".encode())
        self.assertEqual(self.front.expect("BINARY_OUT", stream), b"\0\xff")
        self.assertEqual(self.front.expect("TEXT_OUT", stream), b"")
        for _ in range(3):
            self.assertEqual(self.front.expect("BINARY_OUT", stream), b"b")
        self.front.expect("DONE", stream)

    def test_a_large_message_leaves_in_pieces(self):
        data = bytes(range(256)) * 700
        stream = self.opened(("send", binary(data)))
        self.assertEqual(self.whole(stream, "BINARY_OUT"), data)
        self.front.expect("DONE", stream)

    def whole(self, stream, last):
        """A message in pieces, each of them paid for."""
        data = b""
        while True:
            kind, piece = self.front.read(stream)
            self.assertIn(kind, ("CHUNK", last))
            self.assertLessEqual(len(piece), link.PIECE)
            data += piece
            cost = len(piece) + (link.MESSAGE_COST if kind == last else 0)
            self.front.send("CREDIT", stream, link.COUNT.pack(cost))
            if kind == last:
                return data

    def test_large_messages_of_two_tasks_are_not_mixed(self):
        a, b = "a" * 2 * link.WINDOW, "b" * 2 * link.WINDOW
        stream = self.opened(("send_two", text(a), text(b)))
        self.assertEqual(self.whole(stream, "TEXT_OUT"), a.encode())
        self.assertEqual(self.whole(stream, "TEXT_OUT"), b.encode())
        self.front.expect("DONE", stream)

    # Flow control.

    def test_send_waits_for_a_slow_client(self):
        data = b"x" * (link.PIECE - link.MESSAGE_COST)
        stream = self.opened(*[("send", binary(data))] * 4, ("try", text("")), ("try", text("more")))
        for _ in range(4):
            self.front.expect("BINARY_OUT", stream)
        self.front.ping()
        self.assertEqual(self.said(), [])  # empty messages cost something, too
        self.front.send("CREDIT", stream, link.COUNT.pack(100))
        self.assertEqual(self.front.expect("TEXT_OUT", stream), b"")
        self.assertEqual(self.front.expect("TEXT_OUT", stream), b"more")

    def test_more_is_asked_for_as_messages_are_received(self):
        size = link.PIECE - link.MESSAGE_COST
        stream = self.opened(("receive", 2), ("wait", 0), ("receive_until", "websocket.disconnect"))
        for _ in range(4):
            self.front.send("BINARY", stream, b"x" * size)
        asked = link.COUNT.unpack(self.front.expect("WANT", stream))[0]
        self.assertEqual(asked, 2 * link.PIECE)
        self.assertEqual(link.COUNT.unpack(self.front.expect("WANT", stream))[0], 2 * link.PIECE)
        self.front.close_with(stream, 1000)
        self.front.expect("DONE", stream)

    def test_what_no_one_receives_is_not_asked_for(self):
        stream = self.opened(("wait", 0.05), ("send", close()))
        self.front.send("BINARY", stream, b"x" * link.WINDOW)
        self.front.expect("CLOSE_OUT", stream)

    # The end.

    def test_the_client_closes(self):
        stream = self.opened(("receive_until", "websocket.disconnect"), ("receive",), ("try", text("x")))
        self.front.close_with(stream, 4001, "en\u00f3ugh")
        self.front.expect("DONE", stream)
        _, message, refused = self.said()
        self.assertEqual(message, {"type": "websocket.disconnect", "code": 4001, "reason": "en\u00f3ugh"})
        self.assertEqual(refused, ["Disconnected", "the WebSocket is closed (4001 en\u00f3ugh)", True])

    def test_messages_that_came_before_the_close_are_received_before_it(self):
        stream = self.opened(("wait", 0.01), ("receive", 2))
        self.front.send("TEXT", stream, "last words")
        self.front.close_with(stream, 1005)
        self.front.expect("DONE", stream)
        self.assertEqual([message["type"][10:] for message in self.said()], ["receive", "disconnect"])

    def test_a_connection_that_is_cut_is_1006(self):
        stream = self.opened(("receive",))
        self.front.send("CANCEL", stream, "the client vanished")
        self.front.expect("DONE", stream)
        (message,) = self.said()
        self.assertEqual((message["code"], message["reason"]), (1006, "the client vanished"))

    def test_the_application_closes_and_then_hears_of_the_clients_answer(self):
        stream = self.opened(("send", close(code=4000, reason="b\u00fde")), ("receive",), ("try", text("too late")))
        self.assertEqual(self.front.expect("CLOSE_OUT", stream), b"\xa0\x0f" + "b\u00fde".encode())
        self.front.close_with(stream, 4000, "bye")
        self.front.expect("DONE", stream)
        message, refused = self.said()
        self.assertEqual((message["type"], message["code"]), ("websocket.disconnect", 4000))
        self.assertEqual(refused[::2], ["Disconnected", True])

    def test_close_without_a_code_is_1000(self):
        for message in (close(), close(reason=None)):
            self.assertEqual(self.front.expect("CLOSE_OUT", self.opened(("send", message))), b"\xe8\x03")

    def test_a_send_that_waits_is_told_of_the_close(self):
        stream = self.opened(("try", binary(b"x" * 2 * link.WINDOW)))
        for _ in range(4):
            self.front.expect("CHUNK", stream)
        self.front.close_with(stream, 1001)
        self.front.expect("DONE", stream)
        self.assertEqual(self.said(), [["Disconnected", "the WebSocket is closed (1001)", True]])

    def test_a_message_that_was_given_up_in_the_middle_may_be_followed_by_the_close(self):
        large = binary(b"x" * 2 * link.WINDOW)
        stream = self.opened(("send_briefly", large), ("try", text("more")), ("send", close(code=1013)), ("receive",))
        for _ in range(4):
            self.front.expect("CHUNK", stream)
        self.assertEqual(self.front.expect("CLOSE_OUT", stream), b"\xf5\x03")
        self.front.close_with(stream, 1013)
        self.front.expect("DONE", stream)
        refused = self.said()[1]
        self.assertEqual(refused[0], "ProtocolError")
        self.assertIn("a message that it gave up in the middle; expected 'websocket.close'", refused[1])

    def test_one_that_is_followed_by_nothing_is_an_error(self):
        stream = self.opened(("send_briefly", binary(b"x" * 2 * link.WINDOW)))
        for _ in range(4):
            self.front.expect("CHUNK", stream)
        failure = self.front.abort(stream)
        self.assertEqual(self.said(), ["gave up"])
        self.assertIn("gave up sending in the middle of a message", failure["message"])

    def test_after_one_the_end_of_the_client_is_told_to_a_send(self):
        stream = self.opened(
            ("send_briefly", binary(b"x" * 2 * link.WINDOW)),
            ("receive_until", "websocket.disconnect"),
            ("try", text("x")),
        )
        for _ in range(4):
            self.front.expect("CHUNK", stream)
        self.until_said(1)
        self.front.close_with(stream, 1001)
        self.front.expect("DONE", stream)
        self.assertEqual(self.said()[-1][0], "Disconnected")

    def test_messages_that_were_given_up_before_they_began_cost_nothing(self):
        briefly = ("send_briefly", text("no"))
        filling = [("send", binary(b"x" * (link.PIECE - link.MESSAGE_COST)))] * 4
        stream = self.opened(*filling, *[briefly] * 4, ("send", text("last")))
        for _ in range(4):
            self.front.expect("BINARY_OUT", stream)
        self.until_said(4)
        self.front.send("CREDIT", stream, link.COUNT.pack(link.MESSAGE_COST + 4))
        self.assertEqual(self.front.expect("TEXT_OUT", stream), b"last")
        self.front.expect("DONE", stream)

    def test_an_application_may_return_without_closing(self):
        self.front.expect("DONE", self.opened())

    def test_an_error_after_accept_is_told(self):
        failure = self.front.abort(self.opened(("fail",)))
        self.assertEqual((failure["error"], failure["message"]), ("APP_RAISED", "ValueError: told to fail"))

    def test_an_error_before_accept_is_told(self):
        self.assertEqual(self.front.abort(self.front.websocket_script(("fail",)))["error"], "APP_RAISED")

    # Violations.

    def refused(self, message, *messages, opened=True):
        steps = [("send", each) for each in messages]
        stream = self.opened(*steps) if opened else self.front.websocket_script(*steps)
        failure = self.front.abort(stream)
        self.assertEqual(failure["error"], "APP_PROTOCOL")
        self.assertIn(message, failure["message"])

    def test_messages_out_of_order_are_errors_that_say_what_was_expected_A10(self):
        first = "'websocket.accept' or 'websocket.close' or 'websocket.http.response.start'"
        self.refused(f"sent 'websocket.send'; expected {first}", text("early"), opened=False)
        self.refused(f"sent 'http.response.start'; expected {first}", {"type": "http.response.start"}, opened=False)
        self.refused("sent 'websocket.accept'; expected 'websocket.send' or 'websocket.close'", ACCEPT)
        started = {"type": "websocket.http.response.start", "status": 400}
        self.refused("sent 'websocket.accept'; expected 'websocket.http.response.body'", started, ACCEPT, opened=False)

    def test_send_after_close_is_an_error_A10(self):
        stream = self.opened(("send", close()), ("try", text("x")), ("send", close()))
        self.front.expect("CLOSE_OUT", stream)
        self.assertIn("'websocket.close', after the last message of all", self.front.abort(stream)["message"])
        self.assertEqual(self.said()[0][::2], ["ProtocolError", False])

    def test_a_subprotocol_that_was_not_offered_is_an_error_A10(self):
        choice = {**ACCEPT, "subprotocol": "c"}
        stream = self.front.websocket_script(("send", choice), subprotocols=["a", "b"])
        self.assertIn(
            "'subprotocol' 'c' is not one that the client offered: ['a', 'b']", self.front.abort(stream)["message"]
        )

    def test_an_application_that_returns_before_the_handshake_is_told_what_is_missing(self):
        self.refused("returned without sending 'websocket.accept'", opened=False)

    def test_wrong_values_are_refused(self):
        self.refused("exactly one of 'text' and 'bytes'", {"type": "websocket.send"})
        self.refused("exactly one of 'text' and 'bytes'", {**text("a"), "bytes": b"a"})
        self.refused("text must be a str, not bytes", text(b"a"))
        self.refused("'bytes' of 'websocket.send' must be bytes, not str", binary("a"))
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, "1000", None, True):
            self.refused("'code' of 'websocket.close' must be one that may be sent", close(code=code))
        self.refused("must be a str, not bytes", close(reason=b"x"))
        self.refused("has 124 bytes; 123 are allowed", close(reason="\u00fc" * 62))
        header = {**ACCEPT, "headers": [(b"Sec-WebSocket-Protocol", b"a")]}
        self.refused("must not have the header b'sec-websocket-protocol'", header, opened=False)
        status = {"type": "websocket.http.response.start", "status": 200}
        self.refused("cannot be turned down with the status 200", status, opened=False)

    def test_text_that_is_no_text_is_refused(self):
        self.refused("such as UTF-8 can say", {"type": "websocket.send", "text": "\ud800"})


if __name__ == "__main__":
    unittest.main()
