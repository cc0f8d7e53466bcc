// Why an application could not be imported, from the payload of FAILED: what it raised, in which interpreter, where a
// virtual environment was looked for, and where the module that it lacks is installed instead.
// Tested by test/workers/python.test.ts.
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type ErrorName, SallyportError } from "../exchange/index.ts";
import { environmentsNear, hasModule, interpreterOf } from "./environments.ts";
import { defaultPython, searchedEnvironments } from "./python.ts";

/** The payload of FAILED. */
interface Failed {
  readonly message: string;
  /** The application's traceback; "" for none. */
  readonly detail: string;
  /** "PYTHON_NOT_FOUND" where the interpreter itself is at fault. */
  readonly code?: ErrorName;
  /** The interpreter, where the import failed: "CPython 3.12.1". */
  readonly python?: string;
  /** The module that is not there, without its submodules. */
  readonly missing?: string;
}

/** How the application was started. */
export interface ImportPlace {
  /** The application, such as "shop:app". */
  readonly app: string;
  /** Path of the interpreter. */
  readonly python: string;
  readonly chdir: string;
}

/** Directories of sources, below the one of the application, where a module may be that was looked for in that one. */
const SOURCES = ["src", "app", "backend", "server"];

/** The error for a start that ended with FAILED. */
export function importFailure(payload: Buffer, place: ImportPlace): SallyportError {
  const failed = JSON.parse(payload.toString("utf8")) as Failed;
  const { message, code = "APP_IMPORT", python, missing } = failed;
  const run = python === undefined ? "" : ` (in ${python}, ${place.python})`;
  const hint = missing === undefined ? undefined : hintOf(missing, place);
  const detail = [failed.detail, missing === undefined ? "" : searchText(place)].filter(
    (text) => text !== "",
  );
  return new SallyportError(code, `${message}${run}${hint === undefined ? "" : `; ${hint}`}`, {
    detail: detail.join("\n") || undefined,
  });
}

/** What to do about a module that is not there; undefined where nothing is known. */
function hintOf(missing: string, place: ImportPlace): string | undefined {
  const { app, chdir } = place;
  const isApp = app.split(/[.:]/)[0] === missing;
  return isApp ? directoryHint(missing, chdir) : environmentHint(missing, place);
}

function directoryHint(missing: string, chdir: string): string | undefined {
  const found = SOURCES.map((name) => join(chdir, name)).find(
    (directory) => existsSync(join(directory, `${missing}.py`)) || existsSync(join(directory, missing)),
  );
  return found && `it is in ${found}: --chdir ${relative(process.cwd(), found) || "."}`;
}

function environmentHint(missing: string, { python, chdir }: ImportPlace): string | undefined {
  const used = dirname(dirname(python));
  const present = defaultPython();
  const others = [
    ...environmentsNear(chdir).map((environment) => [environment, interpreterOf(environment)] as const),
    ...(present ? [[dirname(dirname(present)), present] as const] : []),
  ];
  const found = others.find(([root]) => root !== used && hasModule(root, missing));
  return found && `${missing} is installed in ${found[0]}: --python ${found[1]}`;
}

/** Where an interpreter was looked for, in lines for the detail. */
function searchText({ python, chdir }: ImportPlace): string {
  const { VIRTUAL_ENV } = process.env;
  const places = searchedEnvironments(chdir);
  return [
    `Python: ${python}`,
    `looked for a virtual environment in ${places.join(", ")}${VIRTUAL_ENV ? "" : " ($VIRTUAL_ENV is not set)"}`,
    "install the module there, or name another interpreter: --python PATH",
  ]
    .map((line) => `  ${line}`)
    .join("\n");
}
