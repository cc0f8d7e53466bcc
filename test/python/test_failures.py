"""The errors that an application meets, as it can name and keep them."""

import os
import pickle
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

import sallyport  # noqa: E402
from sallyport.stream import Disconnected  # noqa: E402


class FailuresTest(unittest.TestCase):
    def test_errors_survive_pickling_as_those_that_cross_processes_must(self):
        for error in (sallyport.ProtocolError("a rule"), Disconnected("the client left")):
            copy = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(copy), copy.args), (type(error), error.args))

    def test_a_broken_rule_is_caught_under_the_name_that_tracebacks_show(self):
        kind = sallyport.ProtocolError
        self.assertEqual((kind.__module__, kind.__qualname__), ("sallyport", "ProtocolError"))
        self.assertTrue(issubclass(kind, RuntimeError))


if __name__ == "__main__":
    unittest.main()
