// The other direction: the same application behind nginx. Here Sallyport is the application's half of FastCGI, SCGI or uwsgi, or an
// HTTP server behind a proxy; and at its other side still the server's half of WSGI.
import { mkdtemp, rm } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { checkConfig } from "../config/errors.ts";
import { type Gateway, type Log, SallyportError } from "../exchange/index.ts";
import { dissectRecords } from "../protocols/fastcgi/dissect.ts";
import { dissectScgi } from "../protocols/scgi/dissect.ts";
import { dissectUwsgi } from "../protocols/uwsgi/dissect.ts";
import { serverOf } from "../server/server.ts";
import type { WireField } from "../wire/fields.ts";
import { dissectMessage } from "../wire/message.ts";
import type { DoorName } from "./door.ts";
import { type Found, isHere } from "./machine.ts";
import { locationFor, Nginx } from "./nginx.ts";
import type { BehindProtocol } from "./questions.ts";
import { RECORDING_HEADER } from "./recordings.ts";
import { Tap } from "./tap.ts";

export interface BehindParts {
  readonly nginx: Found;
  /** Where files may lie; only this user may enter it. */
  readonly directory: string;
  /** The door behind nginx. */
  readonly door: DoorName;
  /** Its gateway, which records. */
  readonly gateway: () => Gateway;
  readonly recording: (id: number) => Promise<object>;
  readonly log: Log;
  /** Milliseconds for nginx to listen, and for its answer (10 s). */
  readonly timeout?: number;
}

export interface BehindView {
  readonly recording: object;
  readonly fromNginx: { readonly bytes: string; readonly fields: readonly WireField[] };
  /** The part that matters. */
  readonly nginxConfig: string;
  /** Who is who. */
  readonly story: { readonly server: string; readonly application: string };
}

/** Questions at the same time; each starts an nginx, so they are answered one after the other. */
const MOST_QUESTIONS = 4;
const TIMEOUT = 10_000;

const DISSECT: Readonly<Record<BehindProtocol, (bytes: Buffer) => WireField[]>> = {
  fastcgi: dissectRecords,
  scgi: dissectScgi,
  uwsgi: dissectUwsgi,
  http: (bytes) => dissectMessage(bytes, "request line"),
};

const STORIES: Readonly<Record<BehindProtocol, BehindView["story"]>> = {
  fastcgi: storyOf("FastCGI", "records"),
  scgi: storyOf("SCGI", "a netstring"),
  uwsgi: storyOf("uwsgi", "a packet"),
  http: {
    server:
      "nginx is the server for the browser: it parses the request, and sends it on as another HTTP request.",
    application:
      "Sallyport is an HTTP server here as well, behind a proxy: it parses the head again, believes X-Forwarded-For because it trusts this proxy, and calls the application.",
  },
};

function storyOf(name: string, form: string): BehindView["story"] {
  return {
    server: `nginx is the server now: it parses the HTTP head, and sends CGI's variables as ${form}: the server's half of ${name}.`,
    application: `Sallyport is the application's half of ${name}: it makes a request of the variables again, and calls the application behind it as its server.`,
  };
}

export class Behind {
  readonly #parts: BehindParts;
  #questions = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #nginx: Nginx | undefined;
  #closed = false;

  constructor(parts: BehindParts) {
    this.#parts = parts;
  }

  /** Sends one request through an nginx. Rejects with NGINX_MISSING, QUEUE_FULL, SPAWN_FAILED, UPSTREAM_BROKEN. */
  async ask(protocol: BehindProtocol): Promise<BehindView> {
    const { nginx } = this.#parts;
    if (!isHere(nginx)) throw new SallyportError("NGINX_MISSING", nginx.why);
    if (this.#questions >= MOST_QUESTIONS)
      throw new SallyportError(
        "QUEUE_FULL",
        `${MOST_QUESTIONS} requests through nginx are under way; try again soon`,
      );
    this.#questions++;
    const answer = this.#turn.then(() => this.#inFolder(protocol, nginx.path));
    this.#turn = answer.catch(() => {});
    return answer.finally(() => this.#questions--);
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#nginx?.stop();
    await this.#turn;
  }

  async #inFolder(protocol: BehindProtocol, program: string): Promise<BehindView> {
    const folder = await mkdtemp(join(this.#parts.directory, "nginx-"));
    try {
      return await this.#behindTap(protocol, program, folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #behindTap(protocol: BehindProtocol, program: string, folder: string): Promise<BehindView> {
    const path = join(folder, "tap");
    const server = this.#server(protocol, `${path}.server`);
    const tap = await Tap.open(path, `${path}.server`);
    try {
      await server.start();
      const location = locationFor(protocol, path);
      const id = await this.#recorded(program, folder, location);
      const fromNginx = { bytes: tap.bytes.toString("base64"), fields: DISSECT[protocol](tap.bytes) };
      const recording = await this.#parts.recording(id);
      return { recording, fromNginx, nginxConfig: location, story: STORIES[protocol] };
    } finally {
      tap.close();
      await server.stop(0);
    }
  }

  /** Our listener of the protocol, with the door behind it. It does not own the gateway. */
  #server(protocol: BehindProtocol, path: string) {
    const { door, gateway, log } = this.#parts;
    const { handle } = gateway();
    const config = {
      listen: [`${protocol === "http" ? "" : `${protocol}://`}unix:${path}`],
      apps: { door: { handle } },
      routes: [{ path: `/${door}`, app: "door" }],
      trust: ["unix:"],
    };
    return serverOf(checkConfig(config), { log });
  }

  /** The number of the recording of a request that nginx was sent. */
  async #recorded(program: string, folder: string, location: string): Promise<number> {
    if (this.#closed) throw new SallyportError("STOPPING", "the demonstration ends");
    const { door, timeout = TIMEOUT } = this.#parts;
    const nginx = await Nginx.start(program, folder, location, timeout);
    this.#nginx = nginx;
    try {
      const url = `http://127.0.0.1:${nginx.port}/${door}/hello?name=you`;
      const { statusCode, headers } = await ask(url, timeout);
      const id = headers[RECORDING_HEADER.toLowerCase()];
      if (id !== undefined) return Number(id);
      throw new SallyportError(
        "UPSTREAM_BROKEN",
        `nginx answered ${statusCode}, and no request came through it`,
      );
    } finally {
      this.#nginx = undefined;
      await nginx.stop();
    }
  }
}

/** Resolves when the whole answer has come. */
function ask(url: string, timeout: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout }, (response) => {
      response.resume();
      response.once("close", () => resolve(response));
    });
    const fail = (why: string): void =>
      reject(new SallyportError("UPSTREAM_BROKEN", `the request through nginx failed: ${why}`));
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    request.once("error", (error) => fail(error.message));
  });
}
