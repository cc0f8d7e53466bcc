// Finds the Python interpreter of an application: the one that was named, or a virtual environment, or python3.
// Tested by test/protocols/wsgi/workers.test.ts.
import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { SallyportError } from "../exchange/index.ts";

export interface PythonSearch {
  /** As the user named it: a path, or a program on PATH. */
  readonly python?: string | undefined;
  /** The application's directory; its `.venv` and `venv` are candidates. */
  readonly directory: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The path of the interpreter. Throws a SallyportError (PYTHON_NOT_FOUND) that lists the candidates. */
export function findPython(search: PythonSearch): string {
  const env = search.env ?? process.env;
  const tried: string[] = [];
  for (const candidate of candidates(search, env)) {
    const found = candidate.includes("/") ? executable(candidate) : onPath(candidate, env.PATH ?? "");
    if (found) return found;
    tried.push(candidate);
  }
  const hint = search.python ? "check --python" : "install Python 3.9 or newer, or name one with --python";
  throw new SallyportError("PYTHON_NOT_FOUND", `no Python interpreter at ${tried.join(", ")}; ${hint}`);
}

/** In the order of the command line's documentation; a named interpreter is the only candidate. */
function candidates(
  { python, directory }: PythonSearch,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  if (python) return [python.includes("/") ? resolve(python) : python];
  const active = env.VIRTUAL_ENV;
  const environments = [active, join(directory, ".venv"), join(directory, "venv")];
  return [...environments.flatMap((path) => (path ? [join(resolve(path), "bin", "python")] : [])), "python3"];
}

function onPath(program: string, path: string): string | undefined {
  for (const directory of path.split(delimiter)) {
    const found = directory && executable(join(directory, program));
    if (found) return found;
  }
  return undefined;
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
