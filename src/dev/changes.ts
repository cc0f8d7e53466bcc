// What browsers hear of changes: a script that reloads the page it is in, and the event stream (HTML, 9.2) that it listens to.
// Tested by test/cli/dev.test.ts.
import type { Exchange } from "../exchange/index.ts";

/** Below the application's mount. Two underscores: no application is likely to have such a path. */
const SCRIPT_PATH = "/__sallyport/reload.js";
const EVENTS_PATH = "/__sallyport/changes";
/** Event streams at once; a browser has one for each open page. */
const MOST_LISTENERS = 500;

/**
 * A page reloads when the version that its script came with is no longer the present one, also after the server was started anew.
 * A page that is not seen has no stream: browsers open six connections to a server, for all pages together.
 */
const scriptFor = (version: string): string => `(() => {
  const url = new URL("changes", document.currentScript.src);
  const own = "${version}";
  let source;
  const listen = () => {
    source?.close();
    if (document.hidden) return;
    source = new EventSource(url);
    source.onmessage = ({ data }) => {
      if (data !== own) location.reload();
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 500);
    };
  };
  addEventListener("pagehide", () => source?.close());
  document.addEventListener("visibilitychange", listen);
  listen();
})();
`;

export class Changes {
  readonly #listeners = new Set<Exchange>();
  readonly #started = Date.now();
  #count = 0;

  /** The URL path of the script, for pages of `exchange`'s application. */
  scriptOf = ({ mount }: Exchange): string => `${mount}${SCRIPT_PATH}`;

  /** Tells every page that the application, or a file of it, has changed. */
  tell(): void {
    this.#count++;
    for (const listener of this.#listeners) listener.write(this.#event());
  }

  /** Pages come back for the next version by themselves: their streams must not hold up a stop. */
  leave(): void {
    for (const listener of this.#listeners) listener.end();
  }

  /** Answers what the script asks for; false when the request is none of ours. */
  answers(exchange: Exchange): boolean {
    const path = exchange.request.path.slice(exchange.mount.length);
    if (path === SCRIPT_PATH) sendScript(exchange, scriptFor(this.#version));
    else if (path === EVENTS_PATH) this.#open(exchange);
    else return false;
    return true;
  }

  #open(exchange: Exchange): void {
    if (this.#listeners.size >= MOST_LISTENERS)
      return exchange.respond({ status: 204, reason: "", headers: [] }, "");
    const headers = ["Content-Type", "text/event-stream", "Cache-Control", "no-store"];
    exchange.start({ status: 200, reason: "", headers });
    exchange.write(this.#event());
    this.#listeners.add(exchange);
    exchange.whenClosed(() => this.#listeners.delete(exchange));
  }

  #event(): Uint8Array {
    return Buffer.from(`retry: 500\ndata: ${this.#version}\n\n`);
  }

  get #version(): string {
    return `${this.#started}.${this.#count}`;
  }
}

function sendScript(exchange: Exchange, script: string): void {
  const headers = ["Content-Type", "text/javascript; charset=utf-8", "Cache-Control", "no-store"];
  exchange.respond({ status: 200, reason: "", headers }, script);
}
