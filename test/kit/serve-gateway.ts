// A gateway behind our HTTP listener on a free port, for tests with real clients.
import { type AddressInfo, createServer } from "node:net";
import { type Gateway, type Log, silentLog } from "../../src/exchange/index.ts";
import { httpListener } from "../../src/protocols/http1/index.ts";

export interface ServedGateway {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function serveGateway(gateway: Gateway, log: Log = silentLog): Promise<ServedGateway> {
  const listener = httpListener({ handler: (exchange) => gateway.handle(exchange), log });
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => listener.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.close();
    await listener.close(0);
    await gateway.close?.(2_000);
  };
  return { url: `http://127.0.0.1:${port}`, port, close };
}
