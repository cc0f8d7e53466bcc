// The web server's half of FastCGI 1.0: exchanges are answered by an application that listens somewhere (PHP-FPM), or
// that we start ourselves. This file is the options, and what becomes of an exchange before it goes out (request.ts).
import { stat } from "node:fs/promises";
import { setAuthorizerVariables } from "../../../cgi/metavariables/authorizer.ts";
import { CONSTANT_VARIABLES } from "../../../cgi/metavariables/encode.ts";
import {
  type Exchange,
  type Gateway,
  type Log,
  SallyportError,
  silentLog,
  spool,
} from "../../../exchange/index.ts";
import { Reloads } from "../../../exchange/reloads.ts";
import { RESPONSE_BUFFER_LIMITS } from "../../../exchange/response-buffer.ts";
import { aGateway, checkArgument } from "../../../options/checks.ts";
import { Upstream } from "../../../upstreams/index.ts";
import { Backend, type BackendOptions } from "./backend.ts";
import { Backends } from "./backends.ts";
import {
  addressesOf,
  applicationOptions,
  checkFastcgi,
  checkSense,
  type FastcgiOptions,
  type OldFastcgiNames,
} from "./options.ts";
import { Params } from "./params.ts";
import { SpawnedApplication } from "./process.ts";
import {
  type AuthorizerCheck,
  type DataFile,
  OutgoingRequest,
  type OutgoingRequestOptions,
  type RequestSpec,
} from "./request.ts";
import type { Script } from "./script.ts";
import { ScriptCache } from "./script-cache.ts";

const MAX_BODY = 4_294_967_296;
const VALUES_TIMEOUT = 1_000;
/** For the requests inside a generation that was replaced, milliseconds. */
const RELOAD_GRACE = 600_000;
/** For a process between TERM and KILL. */
const STOP_GRACE = 1_000;
const NOTHING = new Uint8Array(0);
/** An authorizer gets all of the request but these (6.3). */
const NOT_FOR_AUTHORIZERS: ReadonlySet<string> = new Set([
  "CONTENT_LENGTH",
  "PATH_INFO",
  "PATH_TRANSLATED",
  "SCRIPT_NAME",
]);

/** A gateway to a FastCGI application. Throws CONFIG_INVALID. */
export const fastcgi = (given: FastcgiOptions & OldFastcgiNames): Gateway => {
  const options = checkFastcgi("fastcgi()", given);
  return new FastcgiGateway(options);
};

/** A gateway that lets an exchange through to `gateway` only if the FastCGI authorizer of `options` allows it. */
export const authorized = (given: FastcgiOptions & OldFastcgiNames, gateway: Gateway): Gateway => {
  const options = checkFastcgi("authorized()", given);
  checkArgument("authorized()", "the second argument", gateway, aGateway);
  return new AuthorizedGateway(new FastcgiGateway(options), gateway);
};

class FastcgiGateway implements Gateway {
  readonly #options: FastcgiOptions;
  readonly #log: Log;
  readonly #backends: Backends;
  readonly #requestOptions: OutgoingRequestOptions;
  readonly #authorizer: FastcgiGateway | undefined;
  readonly #scripts: ScriptCache | undefined;
  /** Of every request, whoever makes it. */
  readonly #variables: ReadonlyMap<string, string>;
  readonly #params: Params;
  readonly #paramsOf = new WeakMap<Script, Params>();
  /** Where the present generation is reached, and earlier ones that finish what they have. */
  readonly #applications = new Map<SpawnedApplication, Map<string, Backend>>();
  readonly #reloads = new Reloads(() => this.#reload());
  #application: SpawnedApplication | undefined;
  #closing = false;

  constructor(options: FastcgiOptions) {
    checkSense(options);
    const { authorizer, timeout = 30_000, redirect } = options;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#backends = new Backends({
      queue: options.queue ?? 1024,
      queueTimeout: options.queueTimeout ?? 30_000,
      log: this.#log,
    });
    this.#requestOptions = { log: this.#log, timeout, buffer: RESPONSE_BUFFER_LIMITS, redirect };
    for (const address of addressesOf(options)) this.#backends.add(this.#backend(address));
    this.#scripts = scriptsOf(options);
    this.#variables = variablesOf(options);
    this.#params = new Params(this.#variables);
    if (authorizer) this.#authorizer = new FastcgiGateway({ log: this.#log, ...authorizer });
  }

  async start(): Promise<void> {
    await this.#authorizer?.start();
    // A start that failed is tried again: what came up the first time stays.
    this.#application ??= await this.#startApplication();
  }

  handle(exchange: Exchange): void {
    if (this.#authorizer) this.#authorizer.authorize(exchange, () => this.#serve(exchange));
    else this.#serve(exchange);
  }

  /** Asks the application, as an authorizer, about `exchange`; answers it unless it is allowed. */
  authorize(exchange: Exchange, allowed: () => void): void {
    const judge: AuthorizerCheck = (head) => {
      if (head.status !== 200) return false;
      setAuthorizerVariables(exchange, head);
      allowed();
      return true;
    };
    try {
      const params = new Params(this.#variables, NOT_FOR_AUTHORIZERS).of(exchange, undefined);
      const order: RequestSpec = {
        role: "authorizer",
        params,
        body: NOTHING,
        repeatable: true,
        file: undefined,
      };
      this.#submit(exchange, order, judge);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  }

  /** A new generation of the processes that we started; the old ones finish what they have. */
  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  async #reload(): Promise<void> {
    await this.#authorizer?.reload();
    const previous = this.#application;
    if (!previous) return;
    this.#application = await this.#startApplication();
    previous.retire();
    // Also those that were started again meanwhile.
    const old = [...(this.#applications.get(previous)?.values() ?? [])];
    for (const backend of old) this.#backends.remove(backend);
    void this.#finish(previous, old);
  }

  /** An earlier generation ends with the last of its requests. */
  async #finish(application: SpawnedApplication, backends: readonly Backend[]): Promise<void> {
    await Promise.all(backends.map((backend) => backend.drain(RELOAD_GRACE)));
    await this.#stopOne(application, STOP_GRACE);
  }

  async close(grace: number): Promise<void> {
    this.#closing = true;
    await Promise.all([this.#backends.close(grace), this.#authorizer?.close(grace)]);
    const patience = Math.max(grace, STOP_GRACE);
    await Promise.all(
      [...this.#applications.keys()].map((application) => this.#stopOne(application, patience)),
    );
  }

  async #stopOne(application: SpawnedApplication, grace: number): Promise<void> {
    await application.stop(grace);
    this.#applications.delete(application);
  }

  async #startApplication(): Promise<SpawnedApplication | undefined> {
    const { command } = this.#options;
    if (!command) return undefined;
    const mine = new Map<string, Backend>();
    const application = new SpawnedApplication(applicationOptions(command, this.#options, this.#log), {
      up: (address) => {
        const backend = this.#backend(address);
        mine.set(address, backend);
        this.#backends.add(backend);
      },
      down: (address) => {
        const backend = mine.get(address);
        if (backend) this.#backends.remove(backend);
        mine.delete(address);
        void backend?.drain(0);
        return backend?.servedOnce ?? false;
      },
    });
    this.#applications.set(application, mine);
    try {
      await application.start();
    } catch (error) {
      this.#applications.delete(application);
      throw error;
    }
    // Whoever closed us meanwhile ended those that were there.
    if (this.#closing) await this.#stopOne(application, 0);
    if (this.#closing) throw new SallyportError("STOPPING", "the application is being stopped");
    return application;
  }

  #backend(address: string): Backend {
    const {
      connectTimeout,
      connections,
      keep = true,
      idleTimeout = 30_000,
      timeout = 30_000,
    } = this.#options;
    const upstream = new Upstream(address, { connectTimeout, log: this.#log });
    const options: BackendOptions = {
      keep,
      connections,
      idleTimeout,
      timeout,
      valuesTimeout: VALUES_TIMEOUT,
      log: this.#log,
    };
    return new Backend(upstream, options, this.#backends);
  }

  #serve(exchange: Exchange): void {
    const { whole } = exchange.body;
    const script = this.#scripts?.known(exchange);
    const ready = whole && this.#options.role !== "filter" && (script || !this.#scripts);
    if (ready) this.#serveAtOnce(exchange, whole, script);
    else this.#prepare(exchange).catch((error: unknown) => exchange.fail(SallyportError.from(error)));
  }

  /** Most requests have nothing to wait for, and promises would cost more than all the rest. */
  #serveAtOnce(exchange: Exchange, body: Uint8Array, script: Script | undefined): void {
    try {
      const params = this.#paramsFor(script).of(exchange, body.length);
      this.#submit(exchange, { role: "responder", params, body, repeatable: true, file: undefined });
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  }

  async #prepare(exchange: Exchange): Promise<void> {
    const { role = "responder" } = this.#options;
    const script = this.#scripts && (await this.#script(exchange, this.#scripts));
    if (exchange.closed) return;
    const { length, ...upload } = await this.#upload(exchange);
    if (exchange.closed) return;
    const file = role === "filter" && script ? await dataFile(script.file) : undefined;
    const known = this.#paramsFor(script);
    const params = file ? known.with(file.variables).of(exchange, length) : known.of(exchange, length);
    this.#submit(exchange, { role, params, file, ...upload });
  }

  #submit(exchange: Exchange, order: RequestSpec, judge?: AuthorizerCheck): void {
    this.#backends.submit(new OutgoingRequest(exchange, order, this.#requestOptions, judge));
  }

  #paramsFor(script: Script | undefined): Params {
    if (!script) return this.#params;
    const known = this.#paramsOf.get(script);
    if (known) return known;
    const params = this.#params.with(script.variables);
    this.#paramsOf.set(script, params);
    return params;
  }

  /** undefined: the exchange was answered. */
  async #script(exchange: Exchange, scripts: ScriptCache): Promise<Script | undefined> {
    const found = await scripts.find(exchange);
    if (typeof found !== "string") return found;
    const { query } = exchange.request;
    exchange.body.discard();
    const location = query === "" ? found : `${found}?${query}`;
    exchange.respond({ status: 301, reason: "", headers: ["Location", location] }, "");
    return undefined;
  }

  /** Slow clients wait here, not in a process of the application; and a chunked body gets a length. */
  async #upload(exchange: Exchange): Promise<Upload> {
    const { body } = exchange;
    const { bufferBody, maxBody = MAX_BODY } = this.#options;
    if (body.whole) return { body: body.whole, repeatable: true, length: body.whole.length };
    if (bufferBody === false && body.length !== undefined)
      return { body: () => body, repeatable: false, length: body.length };
    const spooled = await spool(body, { limit: maxBody });
    exchange.whenClosed(() => spooled.dispose());
    return { body: spooled.whole ?? (() => spooled.body()), repeatable: true, length: spooled.length };
  }
}

function variablesOf({ variables = {} }: FastcgiOptions): ReadonlyMap<string, string> {
  const all = new Map<string, string>(CONSTANT_VARIABLES);
  for (const [name, value] of Object.entries(variables))
    all.set(name, Buffer.from(value, "utf8").toString("latin1"));
  return all;
}

/** A Filter's file is found like a script, only that it need not be one. */
function scriptsOf({ root, role, suffix, index = ["index.php"] }: FastcgiOptions): ScriptCache | undefined {
  if (root === undefined) return undefined;
  return new ScriptCache({ root, suffix: suffix ?? (role === "filter" ? "" : ".php"), index });
}

interface Upload extends Pick<RequestSpec, "body" | "repeatable"> {
  readonly length: number | undefined;
}

interface FilteredFile extends DataFile {
  readonly variables: ReadonlyMap<string, string>;
}

/** The second stream of a Filter, and its variables (6.4). `path`: bytes as latin-1. */
async function dataFile(path: string): Promise<FilteredFile> {
  const onDisk = Buffer.from(path, "latin1");
  const { size, mtimeMs } = await stat(onDisk);
  const variables = new Map([
    ["FCGI_DATA_LENGTH", String(size)],
    ["FCGI_DATA_LAST_MOD", String(Math.floor(mtimeMs / 1000))],
  ]);
  return { path: onDisk, length: size, variables };
}

/** The authorizer is its own; the gateway behind it may stand elsewhere, too. */
class AuthorizedGateway implements Gateway {
  readonly inner: readonly Gateway[];
  readonly #authorizer: FastcgiGateway;
  readonly #gateway: Gateway;

  constructor(authorizer: FastcgiGateway, gateway: Gateway) {
    this.#authorizer = authorizer;
    this.#gateway = gateway;
    this.inner = [gateway];
  }

  start(): Promise<void> {
    return this.#authorizer.start();
  }

  handle(exchange: Exchange): void {
    this.#authorizer.authorize(exchange, () => this.#gateway.handle(exchange));
  }

  reload(): Promise<void> {
    return this.#authorizer.reload();
  }

  close(grace: number): Promise<void> {
    return this.#authorizer.close(grace);
  }
}
