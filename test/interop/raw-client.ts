// A client that shows the very bytes: for what well-behaved clients hide.
import { connect } from "node:net";
import { TextConnection } from "../kit/raw-connection.ts";

export class RawClient extends TextConnection {
  constructor(url: string) {
    const { hostname, port } = new URL(url);
    super(connect(Number(port), hostname));
  }

  get(path: string, ...headers: string[]): this {
    return this.send([`GET ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n"));
  }

  /** Everything that came, once the connection has closed. */
  get closed(): Promise<string> {
    return this.all();
  }

  /** Resolves once the text that has arrived matches; rejects when the connection ends first. */
  async sees(pattern: RegExp): Promise<string> {
    await this.until(() => pattern.test(this.received) || this.state !== "");
    if (pattern.test(this.received)) return this.received;
    throw new Error(`closed before ${pattern}; it got:\n${this.received}`);
  }
}

/** One request on a connection of its own; gives all that came until the server closed it. */
export const rawGet = (url: string, path: string): Promise<string> =>
  new RawClient(url).get(path, "Connection: close").closed;
