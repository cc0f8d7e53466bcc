// Whether a server can be compared at all: does it answer rightly, and does it answer every connection that is kept?
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds until it has to have answered each of the connections. */
const PATIENCE = 3000;
/** Milliseconds for the one answer that is looked at. */
const DEADLINE = 10_000;

/** What is wrong with the answer to the work, undefined if it is what was asked for. */
export async function wrongAnswer({ url }, { path = "/", upload = 0, size }) {
  // Asked as wrk asks, to keep the connection; it is closed at once, since some serve one at a time.
  const agent = new Agent({ keepAlive: true });
  const options = { agent, method: upload > 0 ? "POST" : "GET", signal: AbortSignal.timeout(DEADLINE) };
  try {
    const outgoing = request(`${url}${path}`, options).end("u".repeat(upload));
    const [answer] = await once(outgoing, "response");
    const got = Buffer.concat(await answer.toArray()).length;
    if (answer.statusCode !== 200) return `answers with status ${answer.statusCode}`;
    return size === undefined || got === size ? undefined : `answers with ${got} bytes in place of ${size}`;
  } finally {
    agent.destroy();
  }
}

/** How many of so many kept connections, each with one request, get an answer. */
export async function answered({ url }, { path = "/" }, connections) {
  const port = Number(new URL(url).port);
  const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const sockets = Array.from({ length: connections }, () => connect(port, "127.0.0.1"));
  let count = 0;
  const all = sockets.map(async (socket) => {
    socket.write(head);
    await once(socket, "data").then(
      () => count++,
      () => undefined,
    );
  });
  await Promise.race([Promise.all(all), sleep(PATIENCE)]);
  for (const socket of sockets) socket.destroy();
  return count;
}
