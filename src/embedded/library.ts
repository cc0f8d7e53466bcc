// Finds the shared library of a Python interpreter by asking that interpreter.
// Tested by test/embedded/unfit.test.ts.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SallyportError } from "../exchange/index.ts";

export interface PythonLibrary {
  /** The interpreter as it was named: Python finds its virtual environment from this path (PEP 405). */
  readonly executable: string;
  /** Path of libpython. */
  readonly library: string;
  /** `sys.version` up to the first space: "3.13.0". */
  readonly version: string;
}

interface Answer {
  readonly version: string;
  readonly implementation: string;
  readonly library: string | null;
}

/**
 * The library that the interpreter has mapped comes first; a static interpreter may have a shared library beside it. Every
 * start waits for the answer: what takes long to import is imported only where it is needed.
 */
const QUERY = `
import os, sys
def mapped():
    try:
        with open("/proc/self/maps", errors="surrogateescape") as maps:
            paths = [line[line.index("/"):].rstrip("\\n") for line in maps if "/libpython3." in line]
    except OSError:
        return []
    return [path for path in paths if is_library(os.path.basename(path)) and os.path.isfile(path)]
def is_library(name):
    return name.startswith("libpython3.") and name[11:12].isdigit() and ".so" in name
def beside():
    from sysconfig import get_config_var as of
    names = [name for name in (of("INSTSONAME"), of("LDLIBRARY"), of("PY3LIBRARY")) if name and ".so" in name or name and ".dylib" in name]
    names.append("libpython%d.%d.so.1.0" % sys.version_info[:2])
    places = [of("LIBDIR"), of("LIBDIR") and of("MULTIARCH") and os.path.join(of("LIBDIR"), of("MULTIARCH")), of("LIBPL"), os.path.join(sys.base_prefix, "lib")]
    found = [os.path.join(place, name) for place in places if place for name in names]
    return [path for path in found if os.path.isfile(path)]
found = mapped() or beside()
answer = [sys.version.split()[0], sys.implementation.name, *found[:1]]
sys.stdout.buffer.write("\\n".join(answer).encode("utf-8", "surrogateescape"))
`;

/** By executable: those that somebody has asked for already. */
const known = new Map<string, PythonLibrary>();

/** Tells what `libraryOf` would find. */
export function knowLibraries(libraries: readonly PythonLibrary[]): void {
  for (const library of libraries) known.set(library.executable, library);
}

/** Rejects with PYTHON_NOT_FOUND, which says what to install. */
export async function libraryOf(executable: string): Promise<PythonLibrary> {
  return known.get(executable) ?? askFor(executable);
}

async function askFor(executable: string): Promise<PythonLibrary> {
  const { version, implementation, library } = await ask(executable);
  if (isTooOld(version)) throw unfit(`${executable} is Python ${version}, and Sallyport needs 3.9 or newer`);
  if (implementation !== "cpython")
    throw unfit(`${executable} is ${implementation}; embedded mode needs CPython`);
  if (library === null)
    throw unfit(
      `${executable} (CPython ${version}) has no shared library beside it: install libpython${minor(version)} ` +
        "(Debian), build Python with --enable-shared, or use daemon mode",
    );
  return { executable, library, version };
}

async function ask(executable: string): Promise<Answer> {
  try {
    const { stdout } = await promisify(execFile)(executable, ["-I", "-c", QUERY], { timeout: 30_000 });
    const [version = "", implementation = "", library = ""] = stdout.split("\n");
    return { version, implementation, library: library || null };
  } catch (error) {
    throw unfit(`${executable} cannot be asked for its library: ${(error as Error).message.split("\n")[0]}`);
  }
}

function isTooOld(version: string): boolean {
  const [major = 0, second = 0] = version.split(".").map(Number);
  return major < 3 || (major === 3 && second < 9);
}

const minor = (version: string): string => version.split(".").slice(0, 2).join(".");
const unfit = (message: string): SallyportError => new SallyportError("PYTHON_NOT_FOUND", message);
