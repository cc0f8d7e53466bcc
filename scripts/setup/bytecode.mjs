// The compiled form of Python modules, made once for all tests: most start an interpreter, and where PYTHONDONTWRITEBYTECODE
// is set, or an interpreter came without it, each would compile all that it imports.
import { join } from "node:path";
import { output } from "./programs.mjs";
import { findPythons } from "./pythons.mjs";

/** What programs import of the standard library; its tests and tools stay as they are. */
const OF_THE_LIBRARY =
  "asyncio collections concurrent ctypes email encodings http importlib json logging re unittest urllib";

const COMPILE = `import compileall, os, sys
library = os.path.dirname(os.__file__)
compileall.compile_dir(library, maxlevels=0, quiet=2)
for name in sys.argv[2].split(): compileall.compile_dir(os.path.join(library, name), quiet=2)
compileall.compile_dir(sys.argv[1], quiet=2)`;

/** For every interpreter of the machine. Where it may not be written the tests are slower, and no worse. */
export function compilePythonModules(root) {
  for (const { path } of findPythons(root))
    output(path, ["-c", COMPILE, join(root, "python", "sallyport"), OF_THE_LIBRARY], 120_000);
}
