// The files and directories that the apps of a configuration name, checked before anything starts: after a tree was
// moved, one run reports everything that is missing, each with its line.
// Tested by test/config/file.test.ts.
import { readdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { isGateway } from "../options/checks.ts";
import { suggestion } from "../options/did-you-mean.ts";
import type { AppSettings, Settings } from "./config.ts";
import { errorLine, type KeyPath, type Origin } from "./error-lines.ts";

type Wanted = "directory" | "file" | "program or directory";

/** The keys whose value must exist. Entries of Python's `path` need not: Python itself ignores missing ones. */
const PLACES: Readonly<Record<string, Wanted>> = {
  static: "directory",
  php: "directory",
  root: "directory",
  chdir: "directory",
  cgi: "program or directory",
  module: "file",
};

/** Below these keys there may be a FastCGI application that we start, with a directory of its own. */
const SECTIONS: readonly string[] = ["fastcgi", "authorizer"];

/** A line for each place that is not there, or is something else. */
export function missingFiles({ apps }: Settings, directory: string, origin: Origin): string[] {
  return Object.entries(apps).flatMap(([name, app]) =>
    placesOf(app, ["apps", name]).flatMap(({ path, place, wanted }) => {
      const error = errorAt(resolve(directory, place), wanted);
      return error === undefined ? [] : [errorLine(origin, path, error)];
    }),
  );
}

interface Place {
  readonly path: KeyPath;
  readonly place: string;
  readonly wanted: Wanted;
}

function placesOf(app: AppSettings, path: KeyPath): Place[] {
  return isGateway(app) ? [] : placesIn(app, path);
}

function placesIn(section: object, path: KeyPath): Place[] {
  return Object.entries(section).flatMap(([key, value]: [string, unknown]): Place[] => {
    const own = [...path, key];
    const wanted = PLACES[key];
    if (wanted && typeof value === "string") return [{ path: own, place: value, wanted }];
    if (key === "links" && Array.isArray(value))
      return value.map((place: string, i) => ({ path: [...own, i], place, wanted: "directory" }));
    if (key === "python" && typeof value === "string" && value.includes("/"))
      return [{ path: own, place: value, wanted: "file" }];
    return SECTIONS.includes(key) && typeof value === "object" && value !== null ? placesIn(value, own) : [];
  });
}

function errorAt(place: string, wanted: Wanted): string | undefined {
  try {
    return isFit(statSync(place), wanted) ? undefined : `${place} is no ${wanted}`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") return `${place} cannot be looked at: ${message}`;
    return `there is no ${wanted} ${place}${suggestion(basename(place), besides(place))}`;
  }
}

function isFit(stats: Stats, wanted: Wanted): boolean {
  if (wanted === "directory") return stats.isDirectory();
  return wanted === "file" ? !stats.isDirectory() : true;
}

function besides(place: string): string[] {
  try {
    return readdirSync(dirname(place));
  } catch {
    return [];
  }
}
