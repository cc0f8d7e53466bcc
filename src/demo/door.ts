// What a page of the demonstration learns about a door: a way into the same small application by one interface.
import type { InterfaceName } from "../explain/facts.ts";

export const DOORS = [
  "cgi",
  "fastcgi",
  "scgi",
  "uwsgi",
  "wsgi",
  "embedded",
  "asgi",
  "fetch",
  "node",
  "php",
] as const;
export type DoorName = (typeof DOORS)[number];

/** What crosses: a new process for each request, a socket to a process that stays, a call in the server's own process. */
export type Wall = "process" | "socket" | "call";

/** The facts that every interface carries, by the names that this one gives them. */
export interface FactNames {
  readonly method: string;
  readonly path: string;
  readonly mount: string;
  readonly query: string;
  readonly headers: string;
  readonly body: string;
}

/** What each side promises the other, three lines each, with the specification that says so. */
export interface Halves {
  readonly server: readonly [string, string, string];
  readonly application: readonly [string, string, string];
  readonly source: { readonly title: string; readonly url: string };
}

/** A file as it is. Of our own sources only the path in the repository. */
export interface ShownFile {
  readonly file: string;
  readonly language: string;
  /** "" where only the path is named. */
  readonly text: string;
}

export interface Door {
  readonly id: DoorName;
  readonly name: string;
  /** Where it is mounted: "/wsgi". */
  readonly path: string;
  readonly interface: InterfaceName;
  readonly wall: Wall;
  readonly available: boolean;
  /** What is missing, and how to get it. */
  readonly why?: string;
  readonly facts: FactNames;
  readonly halves: Halves;
  /** Beside its bar in the race: why it is as quick as it is. */
  readonly reason: string;
  readonly code: readonly ShownFile[];
}

/** Versions of what runs here; undefined for what is not here. */
export interface Machine {
  readonly node: string;
  readonly python: string | undefined;
  readonly php: string | undefined;
  readonly nginx: string | undefined;
  readonly system: string;
}

/** The process that had a request, when the head of its answer came. */
export interface ServingProcess {
  readonly pid: number;
  /** Seconds. */
  readonly age: number;
  /** Requests that it has been given, this one included. */
  readonly answered: number;
  /** Processes of its own that the door has started in all; 0 where the application runs in the server's process. */
  readonly started: number;
  /** Bytes; undefined where they cannot be read, or the process had ended already. */
  readonly memory: number | undefined;
}
