// The doors of the demonstration: one table of what does not depend on the machine.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BODIES, FACTS, type InterfaceName, nameOfFact } from "../explain/facts.ts";
import { DOORS, type Door, type DoorName, type FactNames, type ShownFile, type Wall } from "./door.ts";
import { HALVES } from "./halves.ts";

/** Where the applications lie: beside this file, in the sources as in the package. */
export const APPS: string = fileURLToPath(new URL("apps", import.meta.url));

interface Description {
  readonly name: string;
  readonly interface: InterfaceName;
  readonly wall: Wall;
  readonly reason: string;
  /** The application. */
  readonly file: string;
  /** Our own part, in the repository. */
  readonly gateway: string;
}

const DESCRIPTIONS: Readonly<Record<DoorName, Description>> = {
  cgi: {
    name: "CGI",
    interface: "cgi",
    wall: "process",
    reason: "starts Python for every request",
    file: "hello_cgi.py",
    gateway: "src/protocols/cgi/gateway.ts",
  },
  fastcgi: {
    name: "FastCGI",
    interface: "fastcgi",
    wall: "socket",
    reason: "one process stays, and so does the connection; one request at a time",
    file: "hello_fastcgi.py",
    gateway: "src/protocols/fastcgi/server/gateway.ts",
  },
  scgi: {
    name: "SCGI",
    interface: "scgi",
    wall: "socket",
    reason: "one process stays; a new connection for every request",
    file: "hello_scgi.py",
    gateway: "src/protocols/scgi/gateway.ts",
  },
  uwsgi: {
    name: "uwsgi",
    interface: "uwsgi",
    wall: "socket",
    reason: "one process stays; a new connection for every request",
    file: "hello_uwsgi.py",
    gateway: "src/protocols/uwsgi/gateway.ts",
  },
  wsgi: {
    name: "WSGI daemon",
    interface: "wsgi",
    wall: "socket",
    reason: "one process of one thread stays: the second client waits for the first",
    file: "hello_wsgi.py",
    gateway: "src/protocols/wsgi/gateway.ts",
  },
  embedded: {
    name: "WSGI embedded",
    interface: "wsgi",
    wall: "call",
    reason: "a call in the server's own process: no socket between, but a slow call holds the server",
    file: "hello_wsgi.py",
    gateway: "src/embedded/application.ts",
  },
  asgi: {
    name: "ASGI",
    interface: "asgi",
    wall: "socket",
    reason: "one process with an event loop: while one request waits, others go on",
    file: "hello_asgi.py",
    gateway: "src/protocols/asgi/gateway.ts",
  },
  fetch: {
    name: "fetch",
    interface: "fetch",
    wall: "call",
    reason: "a function in the server's own process, on its event loop",
    file: "hello_fetch.ts",
    gateway: "src/apps/fetch.ts",
  },
  node: {
    name: "node",
    interface: "node",
    wall: "call",
    reason: "a function in the server's own process, on its event loop",
    file: "hello_node.ts",
    gateway: "src/apps/node.ts",
  },
  php: {
    name: "PHP",
    interface: "fastcgi",
    wall: "socket",
    reason: "by FastCGI: one process stays, but PHP begins anew with every request",
    file: "hello.php",
    gateway: "src/protocols/fastcgi/server/gateway.ts",
  },
};

const LANGUAGES: Readonly<Record<string, string>> = { py: "python", ts: "typescript", php: "php" };

export const isDoor = (name: string): name is DoorName => (DOORS as readonly string[]).includes(name);

/** `why`: for a door that cannot be shown here. */
export function doorOf(id: DoorName, why: string | undefined): Door {
  const { file, gateway, interface: named, ...rest } = DESCRIPTIONS[id];
  return {
    id,
    ...rest,
    path: `/${id}`,
    interface: named,
    available: why === undefined,
    ...(why === undefined ? {} : { why }),
    facts: factsOf(named),
    halves: HALVES[named],
    code: [shownFile(file), { file: gateway, language: "typescript", text: "" }],
  };
}

/** The application that the door leads to. */
export const applicationOf = (id: DoorName): string => DESCRIPTIONS[id].file;

function shownFile(file: string): ShownFile {
  const language = LANGUAGES[file.slice(file.lastIndexOf(".") + 1)] ?? "";
  return { file: `src/demo/apps/${file}`, language, text: readFileSync(`${APPS}/${file}`, "utf8") };
}

function factsOf(named: InterfaceName): FactNames {
  const nameOf = (fact: string): string => {
    const found = FACTS.find(({ name }) => name === fact);
    return found ? nameOfFact(found, named) : "";
  };
  return {
    method: nameOf("method"),
    path: nameOf("path"),
    mount: nameOf("mount"),
    query: nameOf("query"),
    headers: HEADERS[named] ?? "HTTP_…, CONTENT_TYPE, CONTENT_LENGTH",
    body: BODIES[named],
  };
}

/** Where the header fields are; in the CGI family and in WSGI, each is a variable. */
const HEADERS: Readonly<Partial<Record<InterfaceName, string>>> = {
  asgi: "headers",
  fetch: "headers",
  node: "headers",
};
