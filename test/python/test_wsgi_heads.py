"""Heads whose texts are instances of subclasses of str, and what is remembered of them."""

import enum
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

from sallyport.failures import ProtocolError  # noqa: E402
from sallyport.wsgi.heads import response_head  # noqa: E402


class Mime(str, enum.Enum):
    JSON = "application/json"


class Loud(str):
    """Equals its text, and shows itself as another."""

    def __str__(self):
        return "LOUD"

    def __format__(self, spec):
        return "LOUD"


LINES = b"200 OK\r\nContent-Type: application/json\r\n"


def lines(status, *headers):
    head, length = response_head(status, list(headers))
    return head[1:], length


class Subclasses(unittest.TestCase):
    def test_a_value_is_sent_as_its_characters(self):
        for value in Mime.JSON, Loud("application/json"):
            self.assertEqual(lines("200 OK", ("Content-Type", value)), (LINES, -1))

    def test_so_are_a_name_and_a_status(self):
        head = lines(Loud("200 OK"), (Loud("Content-Type"), "application/json"))
        self.assertEqual(head, (LINES, -1))
        self.assertEqual(lines("200 OK", (Loud("Content-Length"), Loud("12")))[1], 12)

    def test_what_others_sent_before_changes_nothing(self):
        for values in (Mime.JSON, "application/json"), ("text/x", Loud("text/x"), "text/x"):
            for value in values:
                text = str.__str__(value).encode()
                for status in "201 Created", Loud("201 Created"):
                    head = lines(status, ("X-Type", value))
                    self.assertEqual(head, (b"201 Created\r\nX-Type: " + text + b"\r\n", -1))

    def test_what_is_no_text_is_refused(self):
        for headers in [("X-A", 1)], [(b"X-A", "b")], [("X-A", b"b")], [("X-A", None)]:
            with self.assertRaisesRegex(ProtocolError, "must be a str, not a "):
                response_head("200 OK", headers)
        with self.assertRaisesRegex(ProtocolError, "the status must be a str, not a int"):
            response_head(200, [])


if __name__ == "__main__":
    unittest.main()
