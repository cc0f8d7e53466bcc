// Reloads of the configuration, each with a change, under full load on kept connections: no request fails.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reportProgress } from "../kit/report-progress.ts";
import { until } from "../kit/until.ts";
import { KeptConnection } from "./kept-connection.ts";
import { Load, report } from "./load.ts";
import { KINDS, type Kind, LONG, type Site, startSite } from "./site.ts";

const RELOADS = LONG ? 50 : 4;
const LEAST = LONG ? 100_000 : 0;
const CLIENTS = 16;
/** Fresh connections in a row that must meet the new configuration: there may be several server processes. */
const IN_A_ROW = 6;
const path = (prefix: string): string => `${prefix}/sum.php`;

/** What a reload may change: the app's own settings, a limit of the listeners, apps and routes, the addresses. */
const CHANGES = [
  ({ app }: Kind) => ({ apps: { app: { ...app, queue: 500 } } }),
  () => ({ limits: { headerCount: 150 } }),
  ({ app }: Kind) => ({ apps: { app, more: { static: "." } } }),
  () => ({ listen: ["127.0.0.1:0", "unix:more.sock"] }),
] as const;

function configuration(kind: Kind, generation: number): object {
  const { app, serverProcesses = 1 } = kind;
  const base = { apps: { app }, serverProcesses };
  // A cluster's addresses stay what they were: its supervisor owns the sockets.
  const changes = serverProcesses > 1 ? CHANGES.slice(1, 3) : CHANGES;
  const change = generation === 0 ? {} : changes[generation % changes.length]?.(kind);
  const routes = ["/app", `/${generation}`].map((prefix) => ({ path: prefix, app: "app" }));
  return { ...base, ...change, routes };
}

/** Whether new connections are served by the configuration of this generation. */
async function serves(site: Site, generation: number): Promise<boolean> {
  for (let i = 0; i < IN_A_ROW; i++) {
    const connection = await KeptConnection.open(site.port);
    const request = `GET ${path(`/${generation}`)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const reply = await connection?.ask([Buffer.from(request)], 60_000);
    connection?.destroy();
    if (typeof reply !== "object" || reply.status !== 200) return false;
  }
  return true;
}

for (const [name, kind] of Object.entries(KINDS))
  test(`${RELOADS} reloads under load fail no request: ${name}`, async (t) => {
    const site = await startSite(t, configuration(kind, 0));
    const load = new Load({ port: site.port, clients: CLIENTS, paths: [path("/app")] });
    for (let generation = 1; generation <= RELOADS; generation++) {
      const before = load.right;
      site.write(configuration(kind, generation));
      process.kill(site.pid, "SIGHUP");
      await until(() => serves(site, generation));
      await until(() => load.right >= before + 50);
      reportProgress(`${name}: ${generation} reloads, ${load.sent} sent, ${load.failed} failed`);
    }
    await until(() => {
      reportProgress(`${name}: ${load.sent} sent, ${load.failed} failed`);
      return load.right >= LEAST || load.failed > 0;
    });
    const loaded = await load.stop();
    report(`${RELOADS} reloads, ${name}`, loaded);
    assert.deepEqual(loaded.causes, {}, site.stderr);
    assert.doesNotMatch(site.stderr, /reload failed/);
    assert.equal(loaded.right, loaded.sent);
  });
