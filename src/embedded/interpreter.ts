// Python inside this process: libpython through koffi, loaded so that Python's extension modules bind to their own
// libraries and never to Node's OpenSSL, zlib or SQLite (RTLD_DEEPBIND). One interpreter for the life of the process.
// Tested by test/embedded/contract.test.ts.
import { fileURLToPath } from "node:url";
import { SallyportError } from "../exchange/index.ts";
import { shareEnvironment } from "./environment.ts";
import { libraryOf, type PythonLibrary } from "./library.ts";

type Koffi = typeof import("koffi");

/** Passes `size` bytes of `received` to Python, whose answer is in `sent`. See python/sallyport/embedded/application.py. */
export type Call = (size: number, flags: number) => number;

export interface Entry {
  readonly received: Buffer;
  readonly sent: Buffer;
  readonly call: Call;
}

/** The most bytes that go in, or come out, in one call. */
const MEMORY = 262_144;
/** More bytes than a PyPreConfig of any version has. */
const PRECONFIG = 256;
const PROGRAM = fileURLToPath(new URL("../../python", import.meta.url));

/**
 * Run once. Sets the environment, in case Python could not find it by itself, and has extension modules bind to the
 * libraries that they were built with, not to those inside Node.
 */
const startup = (): string => `
import os, sys
if not os.environ:
    os.environ.update(${JSON.stringify(process.env)})
sys.setdlopenflags(os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))
import site
site.main()
sys.path.insert(0, ${JSON.stringify(PROGRAM)})
import sallyport
del sys.path[0]
`;

export class Interpreter {
  readonly library: PythonLibrary;
  readonly #koffi: Koffi;
  readonly #run: (source: string) => number;

  private constructor(library: PythonLibrary, koffi: Koffi, run: (source: string) => number) {
    this.library = library;
    this.#koffi = koffi;
    this.#run = run;
  }

  static #present: Promise<Interpreter> | undefined;

  /**
   * The interpreter of this process; `executable` chooses it the first time. Rejects with PYTHON_NOT_FOUND if koffi or the
   * library is missing, or if another Python is already running here.
   */
  static async of(executable: string): Promise<Interpreter> {
    const koffi = loadKoffi(); // while Python is asked
    koffi.catch(() => {}); // reported below, after what is wrong with Python
    const library = await libraryOf(executable);
    Interpreter.#present ??= koffi.then(
      (loaded) => new Interpreter(library, loaded, startPython(loaded, library)),
    );
    const present = await Interpreter.#present;
    if (present.library.executable === executable) return present;
    throw unfit(
      `${executable} cannot be embedded beside ${present.library.executable}: a process holds one Python; use daemon mode for one of them`,
    );
  }

  /** Opens a way into Python for one application. */
  open(): Entry {
    const received = Buffer.allocUnsafeSlow(MEMORY);
    const sent = Buffer.allocUnsafeSlow(MEMORY);
    const box = Buffer.alloc(8);
    const at = (buffer: Buffer): string => String(this.#koffi.address(buffer));
    const stack = this.#koffi.config().sync_stack_size;
    const failed = this.#run(
      `from sallyport.embedded.application import start\nstart(${at(received)}, ${MEMORY}, ${at(sent)}, ${MEMORY}, ${at(box)}, ${stack})`,
    );
    if (failed) throw new SallyportError("INTERNAL", "the embedded interpreter could not be entered");
    const call = this.#koffi.decode(this.#koffi.decode(box, 0, "void *"), callType(this.#koffi)) as Call;
    return { received, sent, call };
  }
}

/** Starts Python and releases its lock, so that threads of the application run while we wait for events. */
function startPython(
  koffi: Koffi,
  { library, executable, version }: PythonLibrary,
): (source: string) => number {
  const lib = open(koffi, library);
  const found = (lib.func("const char *Py_GetVersion()")() as string).split(" ")[0];
  if (found !== version)
    throw unfit(
      `${executable} is CPython ${version}, but its library ${library} is ${found}: use daemon mode`,
    );
  preinitialize(koffi, lib, executable);
  shareEnvironment(koffi, lib);
  const decode = lib.func("void *Py_DecodeLocale(const char *, void *)");
  lib.func("void Py_SetProgramName(void *)")(decode(executable, null));
  // Without `site`, which may import extension modules: the flags for loading them must be set first.
  koffi.encode(lib.symbol("Py_NoSiteFlag", "int"), "int", 1);
  // 0: signals stay ours.
  lib.func("void Py_InitializeEx(int)")(0);
  const simple = lib.func("int PyRun_SimpleString(const char *)");
  simple(startup());
  lib.func("void *PyEval_SaveThread()")();
  const ensure = lib.func("int PyGILState_Ensure()");
  const release = lib.func("void PyGILState_Release(int)");
  return (source) => {
    const state = ensure();
    try {
      return simple(source);
    } finally {
      release(state);
    }
  };
}

/**
 * Starts as the program `python` does: by PYTHONUTF8, and in UTF-8 mode if the locale is C (PEP 538, 540). An embedded
 * interpreter would otherwise read files as ASCII in that locale.
 */
function preinitialize(koffi: Koffi, lib: ReturnType<Koffi["load"]>, executable: string): void {
  const settings = Buffer.alloc(PRECONFIG);
  lib.func("void PyPreConfig_InitPythonConfig(void *)")(settings);
  const fields = { type: "int", func: "const char *", message: "const char *", exitcode: "int" } as const;
  const status = lib.func("Py_PreInitialize", koffi.struct(fields), ["void *"])(settings);
  if (status.type !== 0) throw unfit(`${executable} cannot be started here: ${status.message}`);
}

function open(koffi: Koffi, library: string): ReturnType<Koffi["load"]> {
  try {
    return koffi.load(library, { global: true, deep: true });
  } catch (error) {
    throw unfit(`${library} cannot be loaded: ${(error as Error).message}`);
  }
}

let type: ReturnType<Koffi["proto"]> | undefined;
function callType(koffi: Koffi): ReturnType<Koffi["proto"]> {
  type ??= koffi.proto("int SallyportCall(int, int)");
  return type;
}

async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import("koffi")).default as unknown as Koffi;
  } catch {
    throw unfit("embedded mode needs the package koffi: `npm install koffi`, or use daemon mode");
  }
}

const unfit = (message: string): SallyportError => new SallyportError("PYTHON_NOT_FOUND", message);
