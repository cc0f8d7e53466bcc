"""The errors that an application meets, as it can name and keep them."""

import os
import pickle
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

import sallyport  # noqa: E402
from sallyport.failures import summary  # noqa: E402
from sallyport.stream import Disconnected  # noqa: E402


class FailuresTest(unittest.TestCase):
    def test_errors_survive_pickling_as_those_that_cross_processes_must(self):
        for error in (
            sallyport.ProtocolError("a rule"),
            sallyport.ProtocolTypeError("a type"),
            sallyport.ProtocolValueError("a value"),
            Disconnected("the client left"),
        ):
            copy = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(copy), copy.args), (type(error), error.args))

    def test_an_exception_that_stumbles_over_itself_is_told_by_its_name(self):
        with mock.patch("traceback.format_exception_only", side_effect=AttributeError):
            self.assertEqual(summary(KeyError("x")), "KeyError (which cannot be told in full: AttributeError)")

    def test_a_broken_rule_is_caught_as_what_other_servers_raise_for_it(self):
        for kind, peers in ((sallyport.ProtocolTypeError, TypeError), (sallyport.ProtocolValueError, ValueError)):
            for caught in (peers, RuntimeError, sallyport.ProtocolError):
                with self.assertRaises(caught):
                    raise kind("a rule")

    def test_a_broken_rule_is_caught_under_the_name_that_tracebacks_show(self):
        kind = sallyport.ProtocolError
        self.assertEqual((kind.__module__, kind.__qualname__), ("sallyport", "ProtocolError"))
        self.assertTrue(issubclass(kind, RuntimeError))


if __name__ == "__main__":
    unittest.main()
