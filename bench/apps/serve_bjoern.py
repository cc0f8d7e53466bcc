"""bjoern has no command line: serve_bjoern.py APP PORT"""

import importlib
import sys

import bjoern

module, _, attribute = sys.argv[1].partition(":")
bjoern.run(getattr(importlib.import_module(module), attribute), "127.0.0.1", int(sys.argv[2]))
