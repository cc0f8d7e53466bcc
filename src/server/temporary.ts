// The directory for temporary files, looked at when the server starts: the first large upload is a bad moment to find out that a
// container's file system is read-only.
import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import type { APP_KINDS } from "../config/apps.ts";
import type { Settings } from "../config/config.ts";
import type { Log } from "../exchange/index.ts";

/** The apps before which bodies are set aside, and behind which what slow clients have not taken yet. */
const SET_ASIDE: readonly (keyof typeof APP_KINDS)[] = [
  "wsgi",
  "callable",
  "cgi",
  "php",
  "fastcgi",
  "scgi",
  "uwsgi",
];

/** Warns where an app needs temporary files and there can be none. */
export function warnOfTemporary(log: Log, { apps }: Pick<Settings, "apps">, directory = tmpdir()): void {
  const needs = Object.values(apps).some((app) => SET_ASIDE.some((kind) => kind in app));
  const { code, message } = needs ? (unwritable(directory) ?? {}) : {};
  if (message === undefined) return;
  log.warn(
    `the temporary directory ${directory} cannot be written (${code ?? message}): request bodies over 64 KiB, and ` +
      "responses that clients take slowly, will fail (of all but ASGI apps); set TMPDIR",
  );
}

function unwritable(directory: string): NodeJS.ErrnoException | undefined {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}
