// The libraries of embedded interpreters: asking an interpreter takes as long as loading a server process, so the supervisor
// does it meanwhile.
import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../config/config.ts";
import { embeddedSections } from "../config/embedded.ts";
import { libraryOf, type PythonLibrary } from "../embedded/library.ts";
import { pythonSearch } from "../server/gateways.ts";
import { serverAccount } from "../server/privileges.ts";
import { findPython } from "../workers/python.ts";
import type { ClusterPlan } from "./plan.ts";

/** Milliseconds. Then the server process, which waits for all that it is handed, asks by itself. */
const PATIENCE = 1_000;

/** Those that are found within `patience`. The server process asks for the others, and reports what is wrong. Never rejects. */
export async function librariesOf(
  { settings, directory }: ClusterPlan,
  patience: number = PATIENCE,
): Promise<readonly PythonLibrary[]> {
  const sections = embeddedSections(settings);
  if (sections.length === 0 || !(await keepsRights(settings))) return [];
  const found: PythonLibrary[] = [];
  const asked = sections.map(async (section) => {
    found.push(await libraryOf(findPython(pythonSearch(section, directory))));
  });
  await Promise.race([Promise.allSettled(asked), delay(patience, undefined, { ref: false })]);
  return [...found];
}

/** Whether a server process has our rights: an interpreter may belong to the account that it becomes, which must not run as root. */
const keepsRights = (settings: Settings): Promise<boolean> =>
  serverAccount(settings).then(
    (account) => account === undefined,
    () => false,
  );
