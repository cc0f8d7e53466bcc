// A gateway behind the real listener on a free port of this machine, for tests with real clients.
import { type AddressInfo, createServer } from "node:net";
import { type Gateway, type Log, silentLog } from "../../src/exchange/index.ts";
import { httpListener } from "../../src/protocols/http1/index.ts";

export interface Listening {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function listening(gateway: Gateway, log: Log = silentLog): Promise<Listening> {
  const listener = httpListener({ handler: (exchange) => gateway.handle(exchange), log });
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => listener.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.close();
    await listener.close(0);
    await gateway.close?.(1000);
  };
  return { url: `http://127.0.0.1:${port}`, port, close };
}
