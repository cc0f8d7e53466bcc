// The environment of this process, for a library that was loaded with RTLD_DEEPBIND: libpython and extension modules look
// into libc for `environ` first. A Node that is not position-independent has moved that variable into itself, and what
// is left of it in libc was never set.
type Koffi = typeof import("koffi");
type Library = ReturnType<Koffi["load"]>;

/** What the library's `environ` points to, for as long as this process lives. */
let shown: Buffer | undefined;

/**
 * Has `library` find the environment as it is now. A list of our own, as ours is moved when a variable is set, and the
 * old one freed; the strings themselves stay. Whoever asks by getenv() meets all changes, as ever.
 */
export function showEnvironment(koffi: Koffi, library: Library): void {
  const ours = place(koffi.load(null));
  const theirs = place(library);
  if (!ours || !theirs || koffi.address(ours) === koffi.address(theirs)) return;
  const strings = addressesAt(koffi, ours);
  shown = Buffer.from(BigUint64Array.from([...strings, 0n]).buffer);
  koffi.encode(theirs, "void *", shown);
}

/** Where the variable `environ` is; undefined where there is none (musl and others have it elsewhere, or once only). */
function place(library: Library): ReturnType<Library["symbol"]> | undefined {
  try {
    return library.symbol("environ", "void *");
  } catch {
    return undefined;
  }
}

function addressesAt(koffi: Koffi, variable: unknown): bigint[] {
  const list = koffi.decode(variable, "void *");
  const found: bigint[] = [];
  for (;;) {
    const address = BigInt(list ? koffi.decode(list, found.length * 8, "uint64") : 0);
    if (address === 0n) return found;
    found.push(address);
  }
}
