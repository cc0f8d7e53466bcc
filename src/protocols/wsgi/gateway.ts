// The server's half of WSGI 1.0.1 (PEP 3333) in daemon mode: persistent Python workers answer over the link. The other
// part of this half runs inside the worker: python/sallyport/wsgi.py.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { BACKLOG_LIMITS } from "../../exchange/backlog.ts";
import {
  type Exchange,
  type Gateway,
  header,
  type Log,
  SallyportError,
  silentLog,
} from "../../exchange/index.ts";
import { type Spooled, spool } from "../../exchange/spool.ts";
import { type FrameWriter, findPython, Pool, Stream } from "../../workers/index.ts";
import { CONSTANT_VARIABLES, metaVariables } from "../cgi/variables.ts";

export interface WsgiOptions {
  /** The interpreter; otherwise `$VIRTUAL_ENV`, `.venv` or `venv` in `directory`, or `python3`. */
  readonly python?: string | undefined;
  /** Working directory of the application and the first place where its modules are looked for. Default: ours. */
  readonly directory?: string | undefined;
  /** Further places for modules. */
  readonly path?: readonly string[] | undefined;
  /** Environment variables besides our own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Worker processes. Default 1. */
  readonly processes?: number | undefined;
  /** Threads in each worker that run the application. Default 1. */
  readonly threads?: number | undefined;
  /** Milliseconds until a response must have begun; then 504 and a new worker. 0 for no limit. Default 30 s. */
  readonly timeout?: number | undefined;
  /** Milliseconds for importing the application. Default 60 s. */
  readonly startTimeout?: number | undefined;
  /** Requests that may wait for a worker; one more gets 503. Default 1024. */
  readonly queue?: number | undefined;
  /** Milliseconds that a request may wait for a worker. Default 30 s. */
  readonly queueTimeout?: number | undefined;
  /** Whether bodies are complete before a worker sees them (in memory, then in a temporary file). Default true. */
  readonly bufferBody?: boolean | undefined;
  /** Octets of a request body that is set aside until it is complete. Default 4 GiB. */
  readonly maxBody?: number | undefined;
  readonly log?: Log | undefined;
}

/** A listener's own limit is met first; this one is for those that have none. */
const MAX_BODY = 4_294_967_296;

/** A gateway to the application that `app` names: `module:callable`, `module`, or `module:factory()`. */
export function wsgi(app: string, options: WsgiOptions = {}): Gateway {
  return new WsgiGateway(app, options);
}

class WsgiGateway implements Gateway {
  readonly #app: string;
  readonly #options: WsgiOptions;
  #pool: Pool | undefined;
  #starting: Promise<Pool> | undefined;

  constructor(app: string, options: WsgiOptions) {
    this.#app = app;
    this.#options = options;
  }

  /** Starting what has started already is the same start. */
  async start(): Promise<void> {
    this.#starting ??= this.#start();
    try {
      this.#pool = await this.#starting;
    } catch (error) {
      this.#starting = undefined;
      throw error;
    }
  }

  handle(exchange: Exchange): void {
    const pool = this.#pool;
    if (!pool) return exchange.fail(new SallyportError("NOT_READY", `${this.#app} was not started`));
    if (exchange.body.whole) this.#submit(pool, exchange, exchange.body.whole);
    else if (this.#streams(exchange)) this.#submit(pool, exchange, undefined);
    else this.#complete(pool, exchange).catch((error: unknown) => exchange.fail(SallyportError.from(error)));
  }

  async reload(): Promise<void> {
    await this.#pool?.reload();
  }

  async close(grace: number): Promise<void> {
    await this.#pool?.close(grace);
  }

  async #start(): Promise<Pool> {
    const options = this.#options;
    const directory = existingDirectory(options.directory ?? ".");
    const pool = new Pool({
      app: this.#app,
      python: findPython({ python: options.python, directory }),
      directory,
      path: (options.path ?? []).map((place) => resolve(directory, place)),
      env: { ...options.env },
      processes: options.processes ?? 1,
      threads: options.threads ?? 1,
      constants: Object.fromEntries(CONSTANT_VARIABLES),
      timeout: options.timeout ?? 30_000,
      startTimeout: options.startTimeout ?? 60_000,
      queue: options.queue ?? 1024,
      queueTimeout: options.queueTimeout ?? 30_000,
      log: options.log ?? silentLog,
    });
    await pool.start();
    return pool;
  }

  /** A client that waits for 100 Continue must hear from the application first; there the body streams. */
  #streams({ request }: Exchange): boolean {
    if (this.#options.bufferBody === false) return true;
    return header(request.headers, "expect")?.toLowerCase() === "100-continue";
  }

  /** Slow clients wait here, not in a worker. */
  async #complete(pool: Pool, exchange: Exchange): Promise<void> {
    const spooled = await spool(exchange.body, { limit: this.#options.maxBody ?? MAX_BODY });
    exchange.whenClosed(() => spooled.dispose());
    this.#submit(pool, exchange, spooled.whole ?? spooled);
  }

  #submit(pool: Pool, exchange: Exchange, body: Uint8Array | Spooled | undefined): void {
    pool.submit(new Stream(exchange, (writer) => writeEnviron(writer, exchange, body), BACKLOG_LIMITS));
  }
}

function existingDirectory(path: string): string {
  const directory = resolve(path);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  throw new SallyportError(
    "TARGET_NOT_FOUND",
    `there is no directory ${directory} to run the application in`,
  );
}

/** The part of the environ that this request adds: meta-variables, wsgi.url_scheme, wsgi.input. */
function writeEnviron(writer: FrameWriter, exchange: Exchange, body: Uint8Array | Spooled | undefined): void {
  writer.beginDict();
  const put = (name: string, value: string): void => writer.entry(name, value);
  metaVariables(exchange, put, body ? body.length : exchange.body.length);
  writer.entry("wsgi.url_scheme", exchange.request.scheme);
  writeInput(writer, body);
  writer.endDict();
}

/** Octets, the path of a file that holds them, or None for a body that will be streamed. Nothing when it is empty. */
function writeInput(writer: FrameWriter, body: Uint8Array | Spooled | undefined): void {
  if (body instanceof Uint8Array && body.length === 0) return;
  writer.latin1("wsgi.input");
  if (body === undefined) writer.none();
  else if (body instanceof Uint8Array) writer.bytes(body);
  else writer.value(body.file as string);
}
