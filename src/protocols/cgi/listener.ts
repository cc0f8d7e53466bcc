// The application's half of CGI/1.1 (RFC 3875): we were started as the script. The environment is the request, stdin its
// body, stdout takes the response, and our exit code or signal tells whether it was complete.
import type { Readable, Writable } from "node:stream";
import { CgiExchange, type CgiTransport, type Compose } from "../../cgi/exchange.ts";
import { cgiResponseHead } from "../../cgi/head.ts";
import { describeRequest } from "../../cgi/metavariables/decode.ts";
import { asSent } from "../../cgi/metavariables/peers.ts";
import {
  errorHead,
  errorText,
  type Handler,
  header,
  type Log,
  NO_BODY,
  type Outcome,
  PushedBody,
  type RequestBody,
  SallyportError,
} from "../../exchange/index.ts";
import { type CgiStdio, type GivenVariables, processStdio, variablesOf, writeOf } from "./stdio.ts";

export interface ServeCgiOptions {
  /** Gets the one exchange. */
  readonly handler: Handler;
  readonly log: Log;
  /** Default: this process's own environment, stdin and stdout; printing then goes to stderr. */
  readonly env?: GivenVariables;
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  /** The server passes our output on as it is (5): write a whole HTTP response. Default false. */
  readonly nph?: boolean;
  /** Bytes of a request body. More: 413. Default 2 GiB. */
  readonly maxBody?: number;
  /** Ends this process so that the server can see that the response is not complete. Default: SIGKILL. */
  readonly die?: () => void;
}

const MAX_BODY = 2 ** 31;
/** Bytes of response that may wait for the server. */
const UNSENT = 65_536;
const NOTHING = Buffer.alloc(0);

/** Serves the one request, and resolves with the code to exit with once the response has left. Never rejects. */
export function serveCgi(options: ServeCgiOptions): Promise<number> {
  return new CgiRun(options).run();
}

class CgiRun implements CgiTransport {
  readonly #options: ServeCgiOptions;
  readonly #stdio: CgiStdio;
  readonly #compose: Compose;
  readonly #maxBody: number;
  #exchange: CgiExchange | undefined;
  #body: PushedBody | undefined;
  /** Bytes of the body that are still to come; infinite where it ends with stdin. */
  #owed = 0;
  #taken = 0;

  constructor(options: ServeCgiOptions) {
    this.#options = options;
    this.#stdio = stdioOf(options);
    this.#compose = options.nph ? nphHead : cgiResponseHead;
    this.#maxBody = options.maxBody ?? MAX_BODY;
  }

  async run(): Promise<number> {
    const { stdout } = this.#stdio;
    // EPIPE: the server reads no longer, because its client has left.
    stdout.on("error", () => this.#lost());
    stdout.on("drain", () => this.#exchange?.drained());
    try {
      const { complete } = await this.#serve();
      await this.#flushed();
      return complete ? 0 : 1;
    } catch (error) {
      this.#refuse(SallyportError.from(error));
      await this.#flushed();
      return 1;
    } finally {
      this.#stdio.stdin.destroy();
    }
  }

  #serve(): Promise<Outcome> {
    const { handler, log } = this.#options;
    const described = describeRequest(this.#stdio.variables, asSent); // the script has its name from the server (4.1.13)
    if ((described.length ?? 0) > this.#maxBody) throw this.#tooLarge();
    const exchange = new CgiExchange(described, this.#bodyOf(described.length), log, this, this.#compose);
    this.#exchange = exchange;
    try {
      handler(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
    return new Promise((resolve) => exchange.whenClosed(resolve));
  }

  /** Answers a request that never became an exchange. */
  #refuse(error: SallyportError): void {
    this.#options.log.info(error.message, { code: error.code, fault: error.fault });
    this.write(Buffer.from(this.#compose(errorHead(error), {}) + errorText(error), "latin1"));
  }

  // The body: exactly CONTENT_LENGTH bytes of stdin (4.2), or all of it where a server decoded a chunked upload.

  #bodyOf(length: number | undefined): RequestBody {
    const { stdin } = this.#stdio;
    if (length === 0) return NO_BODY;
    const body = new PushedBody(length, { pause: () => stdin.pause(), resume: () => stdin.resume() });
    this.#body = body;
    this.#owed = length ?? Number.POSITIVE_INFINITY;
    stdin.on("data", (chunk: Buffer) => this.#take(chunk));
    stdin.on("end", () => this.#ended());
    stdin.on("error", () => this.#ended());
    return body;
  }

  #take(chunk: Buffer): void {
    const piece = chunk.length > this.#owed ? chunk.subarray(0, this.#owed) : chunk;
    this.#owed -= piece.length;
    this.#taken += piece.length;
    if (this.#taken > this.#maxBody) return this.#failBody(this.#tooLarge());
    this.#body?.push(piece);
    if (this.#owed > 0) return;
    this.#body?.end();
    this.#stdio.stdin.pause();
  }

  #ended(): void {
    if (this.#owed === Number.POSITIVE_INFINITY) return this.#body?.end();
    if (this.#owed === 0) return;
    const missing = `the request body ended ${this.#owed} bytes too early`;
    this.#failBody(new SallyportError("BODY_INCOMPLETE", missing));
  }

  #failBody(error: SallyportError): void {
    this.#stdio.stdin.pause();
    this.#body?.fail(error);
    if (this.#exchange && !this.#exchange.started) this.#exchange.fail(error);
  }

  #tooLarge(): SallyportError {
    return new SallyportError("BODY_TOO_LARGE", `a request body of more than ${this.#maxBody} bytes`);
  }

  // The response.

  write(bytes: Uint8Array): boolean {
    const { stdout, write } = this.#stdio;
    return write(bytes) || stdout.writableLength <= UNSENT;
  }

  answered(): void {}

  /** Where the response ends with the output, only a signal shows the server that it was cut. */
  cut(framed: boolean): void {
    if (framed) return;
    const { die = () => process.kill(process.pid, "SIGKILL") } = this.#options;
    this.#flushed().then(die);
  }

  /** Resolves when all that was written has left, or never will. */
  #flushed(): Promise<void> {
    const { stdout, write } = this.#stdio;
    return new Promise((resolve) => {
      if (stdout.destroyed) return resolve();
      stdout.once("close", resolve);
      write(NOTHING, resolve);
    });
  }

  #lost(): void {
    const error = new SallyportError("CLIENT_LEFT", "the server closed our output");
    this.#body?.fail(error);
    this.#exchange?.lost(error);
  }
}

function stdioOf({ env, stdin, stdout }: ServeCgiOptions): CgiStdio {
  if (env && stdin && stdout) return { variables: variablesOf(env), stdin, stdout, write: writeOf(stdout) };
  const stdio = processStdio();
  return {
    variables: env ? variablesOf(env) : stdio.variables,
    stdin: stdin ?? stdio.stdin,
    stdout: stdout ?? stdio.stdout,
    write: stdout ? writeOf(stdout) : stdio.write,
  };
}

/** The whole head of an HTTP response, since the server adds nothing to it (5). */
const nphHead: Compose = (head, options) => {
  const date = header(head.headers, "date") === undefined ? `Date: ${new Date().toUTCString()}\r\n` : "";
  return `${cgiResponseHead(head, { ...options, form: "http" }).slice(0, -2)}${date}Connection: close\r\n\r\n`;
};
