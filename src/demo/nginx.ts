// An nginx for one request: its configuration, and its process.
// Tested by test/demo/behind.test.ts.
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SallyportError } from "../exchange/index.ts";
import { type Child, describeExit, inheritedEnvironment, startChild } from "../processes/index.ts";
import type { BehindProtocol } from "./questions.ts";

/** Milliseconds between two looks whether it listens. */
const LOOK_INTERVAL = 10;
/** Lines of its output that an error shows. */
const LAST_LINES = 5;

/** What CGI's variables are in nginx; those of header fields, HTTP_..., it adds by itself. */
const VARIABLES: readonly (readonly [name: string, value: string])[] = [
  ["REQUEST_METHOD", "$request_method"],
  ["REQUEST_URI", "$request_uri"],
  ["SCRIPT_NAME", '""'],
  ["PATH_INFO", "$uri"],
  ["QUERY_STRING", "$query_string"],
  ["CONTENT_TYPE", "$content_type"],
  ["CONTENT_LENGTH", "$content_length"],
  ["SERVER_PROTOCOL", "$server_protocol"],
  ["SERVER_NAME", "$server_addr"],
  ["SERVER_PORT", "$server_port"],
  ["REMOTE_ADDR", "$remote_addr"],
  ["REMOTE_PORT", "$remote_port"],
];

/** The part of the configuration that passes requests on to the Unix socket at `path`. */
export function locationFor(protocol: BehindProtocol, path: string): string {
  const lines =
    protocol === "http"
      ? [
          `proxy_pass http://unix:${path}:;`,
          "proxy_http_version 1.1;",
          "proxy_set_header Host $http_host;",
          "proxy_set_header X-Forwarded-For $remote_addr;",
          "proxy_set_header X-Forwarded-Proto $scheme;",
        ]
      : [
          `${protocol}_pass unix:${path};`,
          ...variablesFor(protocol).map(([name, value]) => `${protocol}_param ${name} ${value};`),
        ];
  return `location / {\n${lines.map((line) => `  ${line}\n`).join("")}}\n`;
}

/** By SCGI, nginx sends CONTENT_LENGTH by itself, first of all, but not the version. */
const variablesFor = (protocol: BehindProtocol): typeof VARIABLES =>
  protocol === "scgi"
    ? [["SCGI", "1"], ...VARIABLES.filter(([name]) => name !== "CONTENT_LENGTH")]
    : VARIABLES;

/** One process, as this user, with all its files in `directory`. */
const configOf = (directory: string, port: number, location: string): string => `daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  scgi_temp_path ${directory}/scgi;
  uwsgi_temp_path ${directory}/uwsgi;
  server {
    listen 127.0.0.1:${port};
${location}
  }
}
`;

export class Nginx {
  readonly port: number;
  readonly #child: Child;

  private constructor(port: number, child: Child) {
    this.port = port;
    this.#child = child;
  }

  /** Resolves when it accepts connections, within `timeout` milliseconds. Rejects with SPAWN_FAILED. */
  static async start(program: string, directory: string, location: string, timeout: number): Promise<Nginx> {
    const port = await freePort();
    const config = join(directory, "nginx.conf");
    await writeFile(config, configOf(directory, port, location));
    const lines: string[] = [];
    const child = startChild({
      command: program,
      args: ["-p", directory, "-c", config],
      env: inheritedEnvironment([]),
      onLine: (line) => lines.splice(0, lines.length, ...lines.slice(1 - LAST_LINES), line),
    });
    await listens(port, child, timeout, () => lines.join("\n"));
    return new Nginx(port, child);
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    await this.#child.stop(0);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function listens(port: number, child: Child, timeout: number, said: () => string): Promise<void> {
  const deadline = performance.now() + timeout;
  let ended: string | undefined;
  void child.exited.then((exit) => {
    ended = describeExit(exit);
  });
  while (!(await accepts(port))) {
    const why = ended ?? (performance.now() > deadline ? "does not listen in time" : undefined);
    if (why === undefined) await delay(LOOK_INTERVAL);
    else {
      await child.stop(0);
      throw new SallyportError("SPAWN_FAILED", `nginx ${why}`, { detail: said() });
    }
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
