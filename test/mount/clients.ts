// Clients that can distinguish a whole response from a cut one, for HTTP/1.1 and HTTP/2 alike.
import { once } from "node:events";
import { type IncomingHttpHeaders, request as request1 } from "node:http";
import { connect } from "node:http2";
import { request as requestSecurely } from "node:https";
import type { Readable } from "node:stream";

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** A response whose head is here. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  /** Closes the connection at once. */
  hangUp(): void;
}

export type Client = (url: string, asked?: Asked) => Promise<Answer>;

export const client1: Client = async (url, { method = "GET", headers = {}, body } = {}) => {
  const make = url.startsWith("https:") ? requestSecurely : request1;
  const fields = { ...headers, ...lengthOf(body) };
  const request = make(url, { method, headers: fields, agent: false, rejectUnauthorized: false });
  request.end(body);
  const [response] = await once(request, "response");
  request.on("error", () => {});
  return {
    status: response.statusCode,
    headers: response.headers,
    body: response,
    hangUp: () => request.destroy(),
  };
};

export const client2: Client = async (url, { method = "GET", headers = {}, body } = {}) => {
  const { origin, pathname, search } = new URL(url);
  const session = connect(origin, { rejectUnauthorized: false });
  session.on("error", () => {});
  const stream = session.request({
    ...headers,
    ...lengthOf(body),
    ":method": method,
    ":path": pathname + search,
  });
  stream.on("close", () => session.close());
  stream.end(body);
  const [head] = await once(stream, "response");
  stream.on("error", () => {});
  return { status: head[":status"], headers: head, body: stream, hangUp: () => session.destroy() };
};

const lengthOf = (body: Asked["body"]): Record<string, string> =>
  body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };

export async function textOf({ body }: Answer): Promise<string> {
  return Buffer.concat(await body.toArray()).toString();
}

/** What arrived, and whether the client could see that there should have been more. */
export async function endOf({ body }: Answer): Promise<{ bytes: number; cut: boolean }> {
  let bytes = 0;
  body.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  return new Promise((resolve) => {
    let ended = false;
    body.on("end", () => (ended = true));
    body.on("close", () => resolve({ bytes, cut: !ended || body.errored !== null }));
  });
}
