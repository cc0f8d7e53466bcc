"""Holds the process, and Python's lock with it, while it is imported: no thread of Python's runs."""

import ctypes
import sys

print("holding", file=sys.__stderr__, flush=True)
ctypes.PyDLL(None).sleep(600)
