// Answers exchanges with the files of a directory. static-path.ts finds the file, or refuses; the library `send` sends it
// (validators, conditions, ranges; RFC 9110, 13 and 14), after static-conditions.ts.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import send from "send";
import {
  type Exchange,
  errorHead,
  errorText,
  type Gateway,
  type Headers,
  header,
  SallyportError,
  statusWithoutProcesses,
} from "../exchange/index.ts";
import {
  aFlag,
  aGateway,
  aText,
  type Checks,
  checkArgument,
  checkOptions,
  seconds,
  textOr,
  texts,
} from "../options/checks.ts";
import { nodeObjects } from "./node.ts";
import { failsIfMatch, rangeOf } from "./static-conditions.ts";
import { type FindFile, type FoundFile, find, findError, segmentsOf } from "./static-path.ts";
import { type Choice, choose } from "./static-variant.ts";

export interface StaticOptions {
  readonly directory: string;
  /** The file that answers for a directory; "index.html" by default. There are no listings. */
  readonly index?: string | false | undefined;
  /** Serve `name.br` and `name.gz`, where they exist beside `name`, to clients that accept them; false by default. */
  readonly precompressed?: boolean | undefined;
  /** Seconds for which a cache may use a file without revalidation; 0 by default. */
  readonly maxAge?: number | undefined;
  /** Whether files never change within `maxAge`; false by default. */
  readonly immutable?: boolean | undefined;
  /** Directories besides `directory` that links in it may lead to, "/" for any; none by default. */
  readonly links?: readonly string[] | undefined;
  /** Answers where there is no file. */
  readonly fallthrough?: Gateway | undefined;
}

const CHECKS: Checks<StaticOptions> = {
  directory: aText,
  index: textOr(false),
  precompressed: aFlag,
  maxAge: seconds,
  immutable: aFlag,
  links: texts,
  fallthrough: aGateway,
};

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** A gateway to the files below a directory. Hidden files are never served, nor files that a link leads to outside of it and of `links`. */
export function staticFiles(options: StaticOptions): Gateway {
  checkOptions("staticFiles()", options, CHECKS, '{ directory: "public" }');
  checkArgument("staticFiles()", "directory", options.directory, aText);
  const files = new StaticFiles(options);
  return {
    inner: options.fallthrough && [options.fallthrough],
    status: () => statusWithoutProcesses("static"),
    start: () => files.check(),
    handle(exchange) {
      exchange.trace?.handedOver();
      files.answer(exchange).catch((error: unknown) => files.refuse(exchange, findError(error)));
    },
  };
}

class StaticFiles {
  readonly #directory: string;
  readonly #index: string | false;
  readonly #find: FindFile;
  readonly #options: StaticOptions;

  constructor(options: StaticOptions) {
    this.#directory = resolve(options.directory);
    this.#index = options.index ?? "index.html";
    const links = (options.links ?? []).map((link) => resolve(link));
    this.#find = (segments) => find(this.#directory, segments, links);
    this.#options = options;
  }

  async check(): Promise<void> {
    const stats = await stat(this.#directory).catch(() => undefined);
    if (stats?.isDirectory()) return;
    throw new SallyportError("TARGET_NOT_FOUND", `${this.#directory} is not a directory that can be read`);
  }

  async answer(exchange: Exchange): Promise<void> {
    const path = exchange.request.path.slice(exchange.mount.length);
    if (path === "") return this.#redirect(exchange);
    const segments = segmentsOf(path);
    const found = await this.#find(segments);
    this.#checkMethod(exchange, found);
    const wantsDirectory = segments.at(-1) === "";
    if (found.stats.isDirectory() && !wantsDirectory) return this.#redirect(exchange);
    if (found.stats.isFile() && wantsDirectory)
      throw new SallyportError("NOT_FOUND", "a file has no path below it");
    const file = wantsDirectory ? await this.#indexOf(segments) : found;
    await this.#send(exchange, file);
  }

  /** What answers where there is no file may have a page of its own for a directory, and take a POST to it. */
  #checkMethod(exchange: Exchange, { stats }: FoundFile): void {
    if (this.#options.fallthrough && stats.isDirectory() && !METHODS.has(exchange.request.method))
      throw new SallyportError("NOT_FOUND", "directories are only read");
    checkMethod(exchange);
  }

  refuse(exchange: Exchange, error: SallyportError): void {
    const { fallthrough } = this.#options;
    if (error.code === "ERR_SALLYPORT_NOT_FOUND" && fallthrough) return fallthrough.handle(exchange);
    if (error.code !== "ERR_SALLYPORT_METHOD_NOT_ALLOWED") return exchange.fail(error);
    const { headers, ...head } = errorHead(error);
    exchange.respond({ ...head, headers: [...headers, "Allow", "GET, HEAD"] }, errorText(error));
  }

  async #indexOf(segments: readonly string[]): Promise<FoundFile> {
    if (this.#index === false) throw new SallyportError("NOT_FOUND", "directories are not listed");
    const file = await this.#find(segments.with(-1, this.#index));
    if (file.stats.isFile()) return file;
    throw new SallyportError("NOT_FOUND", "the index of the directory is no file");
  }

  /** To the same path with a slash at the end, so that relative links work; always on this host, even for "//other/". */
  #redirect(exchange: Exchange): void {
    checkMethod(exchange);
    const { path, query } = exchange.request;
    const location = `/${path.replace(/^\/+/, "")}/${query ? `?${query}` : ""}`;
    const headers: Headers = ["Location", location, "Content-Type", "text/plain; charset=utf-8"];
    exchange.respond({ status: 301, reason: "", headers }, `Moved to ${location}\n`);
  }

  async #send(exchange: Exchange, plain: FoundFile): Promise<void> {
    const choice: Choice = this.#options.precompressed
      ? await choose(this.#find, plain, header(exchange.request.headers, "accept-encoding"))
      : { file: plain, coding: undefined, varies: false };
    if (!exchange.closed) sendFile(exchange, choice, plain, this.#options);
  }
}

function checkMethod({ request }: Exchange): void {
  if (METHODS.has(request.method)) return;
  throw new SallyportError("METHOD_NOT_ALLOWED", `files do not answer the method ${request.method}`);
}

function sendFile(exchange: Exchange, choice: Choice, plain: FoundFile, options: StaticOptions): void {
  const { req, res } = nodeObjects(exchange);
  const { root, segments, stats } = choice.file;
  if (failsIfMatch(req)) return refuseSending(exchange, PRECONDITION_FAILED);
  const range = rangeOf(req, stats);
  if (range === undefined) delete req.headers.range;
  else req.headers.range = range;
  const stream = send(req, encoded(segments), {
    root,
    index: false,
    dotfiles: "allow", // Hidden names were refused before; only ".well-known" is left.
    maxAge: (options.maxAge ?? 0) * 1000,
    immutable: options.immutable ?? false,
  });
  stream.on("headers", () => {
    // No date may be later than that of the response (RFC 9110, 8.8.2.1).
    if (stats.mtimeMs > Date.now()) res.setHeader("Last-Modified", new Date().toUTCString());
    if (choice.varies) res.setHeader("Vary", "Accept-Encoding");
    if (choice.coding) res.setHeader("Content-Encoding", choice.coding);
    // By the plain name: the variant's own suffix would name the type of its coding.
    stream.type(encoded(plain.segments));
  });
  stream.on("error", (error: SendError) => refuseSending(exchange, error));
  stream.pipe(res);
}

const encoded = (segments: readonly string[]): string => `/${segments.map(encodeURIComponent).join("/")}`;

/** The error that `send` emits: one of http-errors, with the file system's code where that was the cause. */
interface SendError {
  readonly message: string;
  readonly status: number;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const PRECONDITION_FAILED: SendError = { status: 412, message: "Precondition Failed" };

function refuseSending(exchange: Exchange, error: SendError): void {
  if (error.status !== 412 && error.status !== 416) return exchange.fail(findError(error));
  const headers = Object.entries(error.headers ?? {}).flat();
  headers.push("Content-Type", "text/plain; charset=utf-8");
  exchange.respond({ status: error.status, reason: "", headers }, `${error.status} ${error.message}\n`);
}
