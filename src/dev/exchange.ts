// An exchange while an application is being developed: a failure is a page that says where, and an HTML page gets the script
// that reloads it when the application has changed.
// Tested by test/cli/dev.test.ts.
import {
  bytesOf,
  type Exchange,
  type Headers,
  header,
  type Log,
  type Outcome,
  type ResponseBody,
  type ResponseHead,
  type SallyportError,
} from "../exchange/index.ts";
import { WrappedExchange } from "../exchange/wrapped-exchange.ts";
import { errorPage, errorPlain, type Failure } from "./page.ts";

export interface DevContext {
  /** The application's directory. */
  readonly directory: string;
  readonly log: Log;
  /** The URL of the script, seen from the mount of `exchange`. */
  scriptOf(exchange: Exchange): string;
}

export class DevExchange extends WrappedExchange {
  readonly #context: DevContext;
  /** The script that the end of this response gets; "" for none. */
  #script = "";
  /** What the page says that is sent in place of the application's response. */
  #failure: SallyportError | undefined;

  constructor(inner: Exchange, context: DevContext) {
    super(inner);
    this.#context = context;
  }

  override respond(head: ResponseHead, body: ResponseBody): void {
    const script = this.#scriptFor(head);
    if (script === "") return super.respond(head, body);
    super.respond(withoutLength(head), Buffer.concat([bytesOf(body), Buffer.from(script)]));
  }

  override start(head: ResponseHead): void {
    this.#script = this.#scriptFor(head);
    super.start(this.#script === "" ? head : withoutLength(head));
  }

  override end(trailers?: Headers): void {
    if (this.#script !== "") super.write(Buffer.from(this.#script));
    super.end(trailers);
  }

  override fail(error: SallyportError): void {
    if (this.started || this.closed || !isShown(error)) return super.fail(error);
    const { method, path, target } = this.request;
    const { message, code, fault, detail } = error;
    this.#context.log.error(message, { code, fault, target, detail });
    this.showFailure({ error, what: `${method} ${path}` });
  }

  /** Answers with the failure: a page, which has the script already, for a browser, text for everything else. */
  showFailure(failure: Pick<Failure, "error" | "what">): void {
    const { directory, scriptOf } = this.#context;
    const whole = { ...failure, directory, script: scriptOf(this) };
    const isBrowser = (header(this.request.headers, "accept") ?? "").includes("text/html");
    const [type, text] = isBrowser ? ["text/html", errorPage(whole)] : ["text/plain", errorPlain(whole)];
    const headers = ["Content-Type", `${type}; charset=utf-8`, "Cache-Control", "no-store"];
    this.body.discard();
    this.#failure = failure.error;
    super.respond({ status: failure.error.status || 500, reason: "", headers }, text);
  }

  override whenClosed(callback: (outcome: Outcome) => void): void {
    super.whenClosed((outcome) => callback(this.#failure ? { ...outcome, failure: this.#failure } : outcome));
  }

  #scriptFor({ status, headers }: ResponseHead): string {
    const isPage = /^text\/html\b/i.test(header(headers, "content-type") ?? "");
    const isWhole = status === 200 || status >= 400;
    if (!isPage || !isWhole || this.request.method === "HEAD" || header(headers, "content-encoding"))
      return "";
    return `<script src="${this.#context.scriptOf(this)}"></script>`;
  }
}

/** Faults of the client, and those of a server that stops, are answered as always. */
const isShown = ({ fault, status, code }: SallyportError): boolean =>
  fault !== "client" && status >= 500 && code !== "ERR_SALLYPORT_STOPPING";

const withoutLength = ({ status, reason, headers }: ResponseHead): ResponseHead => ({
  status,
  reason,
  headers: headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== "content-length"),
});
