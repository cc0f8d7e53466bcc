// The web server's half of FastCGI 1.0: exchanges are answered by an application that listens somewhere (PHP-FPM), or
// that we start ourselves. This file makes a request of an exchange; request.ts and its neighbours get it answered.
import { stat } from "node:fs/promises";
import { MAX_BODY } from "../../../cgi/options.ts";
import {
  type Exchange,
  type Gateway,
  type GatewayStatus,
  type ProcessBounds,
  type ProcessStacks,
  SallyportError,
  spool,
  statusWithoutProcesses,
} from "../../../exchange/index.ts";
import { type Agree, throwFirst, together } from "../../../exchange/reloads.ts";
import { waitUntil } from "../../../exchange/wait.ts";
import { aGateway, checkArgument } from "../../../options/checks.ts";
import { FastcgiApplication } from "./application.ts";
import { Authorizer } from "./authorizer.ts";
import {
  checkFastcgi,
  type FastcgiOptions,
  fastcgiVariables,
  type OldFastcgiNames,
  requestSettings,
} from "./options.ts";
import { Params } from "./params.ts";
import { type DataFile, OutgoingRequest, type RequestOptions, type RequestSettings } from "./request.ts";
import type { Script } from "./script.ts";
import { ScriptCache } from "./script-cache.ts";

/** A gateway to a FastCGI application. Throws CONFIG_INVALID. */
export const fastcgi = (given: FastcgiOptions & OldFastcgiNames): Gateway => {
  const options = checkFastcgi("fastcgi()", given);
  return new FastcgiGateway(options);
};

/** A gateway that lets an exchange through to `gateway` only if the FastCGI authorizer of `options` allows it. */
export const authorized = (given: FastcgiOptions & OldFastcgiNames, gateway: Gateway): Gateway => {
  const options = checkFastcgi("authorized()", given);
  checkArgument("authorized()", "the second argument", gateway, aGateway);
  return new AuthorizedGateway(new Authorizer(options), gateway);
};

class FastcgiGateway implements Gateway {
  readonly #options: FastcgiOptions;
  readonly #maxBody: number;
  readonly #application: FastcgiApplication;
  readonly #authorizer: Authorizer | undefined;
  readonly #settings: RequestSettings;
  readonly #scripts: ScriptCache | undefined;
  /** Of requests without a script. */
  readonly #params: Params;
  readonly #paramsOf = new WeakMap<Script, Params>();
  /** Requests that wait for their bodies or scripts, and all that an authorizer is asked about. */
  #preparing = 0;
  #closing = false;

  constructor(options: FastcgiOptions) {
    const { authorizer, log } = options;
    this.#options = options;
    this.#maxBody = options.maxBody ?? MAX_BODY;
    this.#application = new FastcgiApplication(options);
    this.#settings = requestSettings(options);
    this.#scripts = scriptsOf(options);
    this.#params = new Params(fastcgiVariables(options));
    if (authorizer) this.#authorizer = new Authorizer({ log, ...authorizer });
  }

  async start(): Promise<void> {
    await this.#authorizer?.application.start();
    await this.#application.start();
  }

  handle(exchange: Exchange): void {
    if (this.#closing) exchange.fail(new SallyportError("STOPPING", "the application is being stopped"));
    else if (this.#authorizer) this.#authorize(exchange, this.#authorizer);
    else this.#serve(exchange);
  }

  async reload(agree?: Agree): Promise<void> {
    const applications = [this.#authorizer?.application ?? [], this.#application].flat();
    throwFirst(
      await together(
        applications.map((each) => (all: Agree) => each.reload(all)),
        agree,
      ),
    );
  }

  async close(grace: number): Promise<void> {
    const deadline = performance.now() + grace;
    this.#closing = true;
    await waitUntil(() => this.#preparing === 0 && this.#application.backends.waiting === 0, grace);
    const left = Math.max(0, deadline - performance.now());
    await Promise.all([this.#application.close(left), this.#authorizer?.application.close(left)]);
  }

  #authorize(exchange: Exchange, authorizer: Authorizer): void {
    this.#preparing++;
    exchange.whenClosed(() => this.#preparing--);
    authorizer.authorize(exchange, () => this.#serve(exchange));
  }

  status(): GatewayStatus {
    return this.#application.status();
  }

  async scale(bounds: ProcessBounds): Promise<void> {
    if (this.#options.command) return this.#application.scale(bounds);
    throw new SallyportError(
      "NOT_SCALABLE",
      "the FastCGI application runs elsewhere: we start no processes of it",
    );
  }

  #serve(exchange: Exchange): void {
    const whole = this.#bodyHere(exchange);
    const script = this.#scripts?.known(exchange);
    const ready = whole && this.#options.role !== "filter" && (script || !this.#scripts);
    if (ready) this.#serveAtOnce(exchange, whole, script);
    else void this.#serveLater(exchange);
  }

  async #serveLater(exchange: Exchange): Promise<void> {
    this.#preparing++;
    try {
      await this.#prepare(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    } finally {
      this.#preparing--;
    }
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
    const { length, ...body } = await this.#body(exchange);
    if (exchange.closed) return;
    const file = role === "filter" && script ? await dataFile(script.file) : undefined;
    const known = this.#paramsFor(script);
    const params = file ? known.with(file.variables).of(exchange, length) : known.of(exchange, length);
    this.#submit(exchange, { role, params, file, ...body });
  }

  #submit(exchange: Exchange, options: RequestOptions): void {
    this.#application.backends.submit(new OutgoingRequest(exchange, options, this.#settings));
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
    const script = await scripts.find(exchange);
    if (typeof script !== "string") return script;
    const { query } = exchange.request;
    exchange.body.discard();
    const location = query === "" ? script : `${script}?${query}`;
    exchange.respond({ status: 301, reason: "", headers: ["Location", location] }, "");
    return undefined;
  }

  /** The bytes of a body that need not be set aside: they have arrived, and are not too many. */
  #bodyHere({ body: { whole } }: Exchange): Uint8Array | undefined {
    return whole && whole.length <= this.#maxBody ? whole : undefined;
  }

  /** Slow clients wait here, not in a process of the application; and a chunked body gets a length. */
  async #body(exchange: Exchange): Promise<PreparedBody> {
    const { body } = exchange;
    const { bufferBody } = this.#options;
    const whole = this.#bodyHere(exchange);
    if (whole) return { body: whole, repeatable: true, length: whole.length };
    if (bufferBody === false && body.length !== undefined)
      return { body: () => body, repeatable: false, length: body.length };
    const spooled = await spool(body, { limit: this.#maxBody });
    exchange.whenClosed(() => spooled.dispose());
    return { body: spooled.whole ?? (() => spooled.body()), repeatable: true, length: spooled.length };
  }
}

/** A Filter's file is found like a script, with any suffix. */
function scriptsOf(options: FastcgiOptions): ScriptCache | undefined {
  const {
    root,
    role,
    suffix = role === "filter" ? "" : ".php",
    index = ["index.php"],
    fallback,
    links,
  } = options;
  return root === undefined ? undefined : new ScriptCache({ root, suffix, index, fallback, links });
}

interface PreparedBody extends Pick<RequestOptions, "body" | "repeatable"> {
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

/** Asks an authorizer before another gateway, of any kind. */
class AuthorizedGateway implements Gateway {
  readonly inner: readonly Gateway[];
  readonly #authorizer: Authorizer;
  readonly #gateway: Gateway;

  constructor(authorizer: Authorizer, gateway: Gateway) {
    this.#authorizer = authorizer;
    this.#gateway = gateway;
    this.inner = [gateway];
  }

  start(): Promise<void> {
    return this.#authorizer.application.start();
  }

  handle(exchange: Exchange): void {
    this.#authorizer.authorize(exchange, () => this.#gateway.handle(exchange));
  }

  /** Of the application behind it. */
  status(): GatewayStatus {
    return this.#gateway.status?.() ?? statusWithoutProcesses("gateway");
  }

  async stacks(): Promise<readonly ProcessStacks[]> {
    if (this.#gateway.stacks) return this.#gateway.stacks();
    throw new SallyportError(
      "STACKS_UNAVAILABLE",
      "the gateway behind the authorizer is no Python application",
    );
  }

  async scale(bounds: ProcessBounds): Promise<void> {
    if (this.#gateway.scale) return this.#gateway.scale(bounds);
    throw new SallyportError("NOT_SCALABLE", "the gateway behind the authorizer has no processes to scale");
  }

  reload(agree?: Agree): Promise<void> {
    return this.#authorizer.application.reload(agree);
  }

  /** What waits to be asked about is asked about first. */
  async close(grace: number): Promise<void> {
    const { application } = this.#authorizer;
    const deadline = performance.now() + grace;
    await waitUntil(() => application.backends.waiting === 0, grace);
    await application.close(Math.max(0, deadline - performance.now()));
  }
}
