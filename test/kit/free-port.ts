// For programs that must be told where to listen before they do, and for addresses at which nobody listens.
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";

/**
 * Below the ports that a system gives to outgoing connections, and to those who ask for any port (from 32768 on Linux, from
 * 49152 elsewhere): one of those may be taken between our look and its use.
 */
const [FIRST, END] = [10_000, 32_000];
const HOST = "127.0.0.1";

/** A port of 127.0.0.1 that is free, and is given to no other test while this process lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if ((await isOurs(port)) && (await isFree(port))) return port;
  }
}

/** Claims the port among the processes of tests, which may run at the same time: by the port of UDP, which stays taken. */
async function isOurs(port: number): Promise<boolean> {
  const claim = createSocket("udp4").unref();
  const taken = await refused(claim.bind(port, HOST));
  if (taken) claim.close();
  return !taken;
}

async function isFree(port: number): Promise<boolean> {
  const server: Server = createServer().listen(port, HOST);
  if (await refused(server)) return false;
  server.close();
  await once(server, "close");
  return true;
}

const refused = (listening: NodeJS.EventEmitter): Promise<boolean> =>
  once(listening, "listening").then(
    () => false,
    () => true,
  );
