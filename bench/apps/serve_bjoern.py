"""bjoern has no command line, and no workers: serve_bjoern.py APP PORT PROCESSES, which accept from one socket."""

import importlib
import os
import sys

import bjoern

module, _, attribute = sys.argv[1].partition(":")
bjoern.listen(getattr(importlib.import_module(module), attribute), "127.0.0.1", int(sys.argv[2]))
for _ in range(int(sys.argv[3]) - 1):
    if os.fork() == 0:
        break
bjoern.run()
