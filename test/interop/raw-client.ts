// A client that shows the very bytes: for what well-behaved clients hide.
import { connect, type Socket } from "node:net";

/** A connection to the server; what arrives is kept as latin-1 text. */
export class RawClient {
  readonly socket: Socket;
  text = "";
  readonly closed: Promise<string>;
  readonly #waiting = new Set<() => void>();

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect(Number(port), hostname);
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.text += text;
      for (const look of this.#waiting) look();
    });
    this.socket.on("error", () => {}); // "close" follows, and that is what tests look at
    this.closed = new Promise((resolve) => {
      this.socket.once("close", () => resolve(this.text));
    });
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  get(path: string, ...headers: string[]): this {
    return this.send([`GET ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n"));
  }

  /** Resolves once the text that has arrived matches; rejects when the connection closes first. */
  sees(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!pattern.test(this.text)) return;
        this.#waiting.delete(look);
        resolve(this.text);
      };
      this.#waiting.add(look);
      this.closed.then(() => reject(new Error(`closed before ${pattern}; it got:\n${this.text}`)));
      look();
    });
  }
}

/** One request on a connection of its own; gives all that came until the server closed it. */
export const rawGet = (url: string, path: string): Promise<string> =>
  new RawClient(url).get(path, "Connection: close").closed;
