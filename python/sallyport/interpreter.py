"""What READY says of the interpreter that runs an application, in both modes.

Tested by test/cli/summary.test.ts.
"""

import os
import sys


def interpreter() -> "dict[str, object]":
    """`environment`: the directory of its virtual environment (PEP 405), or None."""
    return {
        "pid": os.getpid(),
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "environment": None if sys.prefix == sys.base_prefix else sys.prefix,
    }
