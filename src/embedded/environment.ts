// The environment of this process, for a library that was loaded with RTLD_DEEPBIND: libpython and extension modules find
// the variable `environ` of libc first. In a Node that is not position-independent that one was never set, because the
// linker has moved the variable into the program.
// Tested by test/embedded/surroundings.test.ts.
type Koffi = typeof import("koffi");
type Library = ReturnType<Koffi["load"]>;

/** The list that the library's `environ` points to, as long as this process lives. */
let list: Buffer | undefined;

/**
 * Sets the `environ` of `library` to the present environment. It gets a list of its own, since setting a variable moves the
 * process's list and frees the old one; the strings themselves stay. getenv() sees later changes as well.
 */
export function shareEnvironment(koffi: Koffi, library: Library): void {
  const ours = environVariable(koffi.load(null));
  const theirs = environVariable(library);
  if (!ours || !theirs || koffi.address(ours) === koffi.address(theirs)) return;
  const strings = addressesAt(koffi, ours);
  list = Buffer.from(BigUint64Array.from([...strings, 0n]).buffer);
  koffi.encode(theirs, "void *", list);
}

/** Undefined if the library has none of its own: musl and others have only one. */
function environVariable(library: Library): ReturnType<Library["symbol"]> | undefined {
  try {
    return library.symbol("environ", "void *");
  } catch {
    return undefined;
  }
}

function addressesAt(koffi: Koffi, variable: unknown): bigint[] {
  const strings = koffi.decode(variable, "void *");
  const found: bigint[] = [];
  for (;;) {
    const address = BigInt(strings ? koffi.decode(strings, found.length * 8, "uint64") : 0);
    if (address === 0n) return found;
    found.push(address);
  }
}
