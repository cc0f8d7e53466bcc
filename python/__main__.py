"""Started by the front as `python DIRECTORY`: the interpreter's end of the link."""

import sys

if sys.version_info < (3, 9):
    sys.stderr.write("sallyport needs CPython 3.9 or newer; this is %s\n" % sys.version.split()[0])
    sys.exit(78)

from sallyport.worker import main

main()
