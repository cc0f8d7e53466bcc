// The doors as apps of a configuration, as somebody would write them who serves these applications.
// Tested by test/demo/demonstration.test.ts.
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { DOORS, type DoorName } from "./door.ts";
import { APPS, applicationOf } from "./doors.ts";
import { type Found, isHere, type ProgramsHere } from "./machine.ts";

type AppConfig = Config["apps"][string];

/** A door's app; or why it has none here. */
export type DoorConfig = { readonly app: AppConfig } | { readonly why: string };

export interface Surroundings {
  readonly programs: ProgramsHere;
  /** Of the sockets; only this user may enter it. */
  readonly directory: string;
}

/** Where the application of a door listens that we start for it. */
export const socketOf = (door: DoorName, directory: string): string => join(directory, `${door}.socket`);

export const doorConfigs = ({ programs, directory }: Surroundings): ReadonlyMap<DoorName, DoorConfig> =>
  new Map(DOORS.map((door) => [door, configOf(door, programs, directory)]));

function configOf(door: DoorName, { python, php }: ProgramsHere, directory: string): DoorConfig {
  const file = join(APPS, applicationOf(door));
  const needed = NEEDS[door];
  if (needed === undefined) return { app: { module: file } };
  const found: Found = needed === "php" ? php : python;
  return isHere(found) ? { app: APP[door](found.path, file, directory) } : found;
}

/** In this process Node runs; all else is a program. */
const NEEDS: Readonly<Partial<Record<DoorName, "python" | "php">>> = {
  cgi: "python",
  fastcgi: "python",
  scgi: "python",
  uwsgi: "python",
  wsgi: "python",
  embedded: "python",
  asgi: "python",
  php: "php",
};

type MakeApp = (program: string, file: string, directory: string) => AppConfig;

/** Nothing is written beside the applications. */
const env = { PYTHONDONTWRITEBYTECODE: "1" };
/** Applications of one process and one thread: more connections would only wait there instead of here. */
const connections = 1;
const inheritEnv: string[] = [];
const MODULE = "hello_wsgi:application";

const APP: Readonly<Record<DoorName, MakeApp>> = {
  cgi: (python, file) => ({ cgi: file, interpreters: { ".py": python } }),
  fastcgi: (python, file) => ({ fastcgi: { command: [python, file], inheritEnv }, connections }),
  scgi: (_python, _file, directory) => ({ scgi: `unix:${socketOf("scgi", directory)}`, connections }),
  uwsgi: (_python, _file, directory) => ({ uwsgi: `unix:${socketOf("uwsgi", directory)}`, connections }),
  wsgi: (python) => ({ wsgi: MODULE, chdir: APPS, python, env, inheritEnv }),
  embedded: (python) => ({ wsgi: MODULE, mode: "embedded", chdir: APPS, python, env }),
  asgi: (python) => ({ asgi: "hello_asgi:application", chdir: APPS, python, env, inheritEnv }),
  fetch: (_node, file) => ({ module: file }),
  node: (_node, file) => ({ module: file }),
  php: (php, file) => ({
    fastcgi: { command: [php], inheritEnv },
    variables: { SCRIPT_FILENAME: file },
    connections,
  }),
};
