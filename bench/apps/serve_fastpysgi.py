"""The command line of fastpysgi has no option for workers: serve_fastpysgi.py APP PORT WORKERS"""

import importlib
import sys

import fastpysgi

module, _, attribute = sys.argv[1].partition(":")
app = getattr(importlib.import_module(module), attribute)
fastpysgi.run(app, host="127.0.0.1", port=int(sys.argv[2]), workers=int(sys.argv[3]))
