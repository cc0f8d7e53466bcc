// A listener on a real port, and clients of frames.
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { TestContext } from "node:test";
import type { Handler, Listener } from "../../../src/exchange/index.ts";
import { type Http2Limits, http2Listener } from "../../../src/protocols/http2/index.ts";
import type { WebSocketLimits } from "../../../src/websocket/index.ts";
import { FrameClient } from "../../kit/http2-frames.ts";
import { keepLog, type Line } from "../../kit/keep-log.ts";

export interface Serving {
  readonly port: number;
  readonly server: Server;
  readonly listener: Listener;
  readonly lines: Line[];
  /** A connection of frames; `greet`: with the preface and settings already said. */
  client(greet?: boolean): Promise<FrameClient>;
  /** A session of node:http2's own client. */
  session(): ClientHttp2Session;
}

/** Serves `handler` until the test ends. */
export async function serve(
  t: TestContext,
  handler: Handler,
  limits: Partial<Http2Limits> = {},
  websocket: Partial<WebSocketLimits> = {},
): Promise<Serving> {
  const { log, lines } = keepLog();
  const listener = http2Listener({ handler, limits, websocket, log });
  const server = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const leaving: (() => void)[] = [];
  t.after(async () => {
    for (const leave of leaving) leave();
    server.close();
    await listener.close(0);
  });
  const client = async (greet = true): Promise<FrameClient> => {
    const made = await FrameClient.to(port, greet);
    leaving.push(() => made.socket.destroy());
    return made;
  };
  const session = (): ClientHttp2Session => {
    const made = connect(`http://127.0.0.1:${port}`);
    made.on("error", () => {});
    leaving.push(() => made.destroy());
    return made;
  };
  return { port, server, listener, lines, client, session };
}
