"""Raises while it is loaded."""

import builtins
import os


def factory():
    raise getattr(builtins, os.environ["RAISES"])("in the call")


if os.environ["RAISES_AT"] == "import":
    raise getattr(builtins, os.environ["RAISES"])("in the import")
