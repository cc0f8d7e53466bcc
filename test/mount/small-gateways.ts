// Gateways of a few lines, linted, in a bare node server or without any: what single behaviours are tried on.
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { type Exchange, type Gateway, SallyportError } from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import { bodyBytes, queue } from "../kit/handlers.ts";

/** A gateway that answers with `handle`. */
export const answering = (handle: (exchange: Exchange) => void, more: Partial<Gateway> = {}): Gateway =>
  lint({ handle, ...more });

export const TEXT = ["Content-Type", "text/plain"];

/** 200 with this text. */
export const says = (exchange: Exchange, text: string): void =>
  exchange.respond({ status: 200, reason: "", headers: TEXT }, text);

/** A gateway that answers with what the request's head says, as JSON. */
export const showing = (): Gateway =>
  answering((exchange) => says(exchange, JSON.stringify({ ...exchange.request, mount: exchange.mount })));

/** A gateway that answers with the request's body, once it is complete. */
export const echoing = (): Gateway =>
  answering((exchange) => {
    bodyBytes(exchange).then(
      (body) => says(exchange, body.toString()),
      (error: unknown) => exchange.fail(SallyportError.from(error)),
    );
  });

/** Writes until the exchange does not take more; gives how much that was. */
export function fill(exchange: Exchange): number {
  const piece = Buffer.alloc(65_536, "x");
  let bytes = piece.length;
  while (exchange.write(piece)) bytes += piece.length;
  return bytes;
}

/** Writes for as long as anybody takes it. */
export function pour(exchange: Exchange): void {
  fill(exchange);
  exchange.whenDrained(() => pour(exchange));
}

/** A gateway whose exchanges a test takes one by one. */
export interface Taking {
  readonly gateway: Gateway;
  /** The next exchange, past or future, in order. */
  taken(): Promise<Exchange>;
}

export function taking(): Taking {
  const { handler, next } = queue();
  return { gateway: answering(handler), taken: next };
}

/** Serves `listener` for the length of a test; gives its URL. */
export async function host(
  t: TestContext,
  listener: RequestListener,
  server: Server = createServer(),
): Promise<string> {
  server.on("request", listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A bare connection to `url`, with `text` sent. */
export async function dial(t: TestContext, url: string, text: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  await once(socket, "connect");
  socket.write(text, "latin1");
  return socket;
}

/** What a bare connection that closes itself answers to `text`. */
export async function answerTo(t: TestContext, url: string, text: string): Promise<string> {
  const socket = await dial(t, url, text);
  const pieces = await socket.toArray();
  return Buffer.concat(pieces).toString("latin1");
}
