// What every gateway says of itself, before it starts, while it is idle, and while a request is inside.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Gateway, GatewayStatus } from "../../src/exchange/index.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { cgi } from "../../src/protocols/cgi/index.ts";
import { authorized, fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { isAlive } from "../kit/processes.ts";
import { until } from "../kit/until.ts";
import { GATEWAYS } from "../matrix/gateways.ts";
import { Scope } from "../matrix/scope.ts";

const APPS = fileURLToPath(new URL("../apps/conformance", import.meta.url));

function ask(gateway: Gateway, notes: string): Promise<unknown> {
  const script = Buffer.from(JSON.stringify({ kind: "answer", body: "hello", notes })).toString("base64url");
  const exchange = new RecordedExchange({ headers: ["x-conformance", script] });
  gateway.handle(exchange);
  return exchange.done;
}

const INTERFACES: Readonly<Record<string, string>> = {
  fetch: "fetch",
  node: "node",
  wsgi: "WSGI",
  embedded: "WSGI",
  asgi: "ASGI",
  cgi: "CGI",
  fastcgi: "FastCGI",
  scgi: "SCGI",
  uwsgi: "uwsgi",
  static: "static",
};

describe("a gateway that has answered says its interface, and that nothing waits", () => {
  for (const [name, { open }] of Object.entries(GATEWAYS).filter(([name]) => name in INTERFACES))
    test(name, async (t) => {
      const scope = new Scope();
      t.after(() => scope.close());
      const gateway = await open(scope);
      t.after(() => gateway.close?.(0));
      await gateway.start?.();
      await ask(gateway, join(makeFolder(t), "note-"));
      const status = gateway.status?.() as GatewayStatus;
      assert.equal(status.interface, INTERFACES[name]);
      assert.deepEqual([status.waiting, status.restarts], [0, 0]);
      for (const { requests, state, pid } of status.processes)
        if (name !== "cgi") assert.ok(requests >= 1 && state !== "gone" && isAlive(pid ?? 0));
    });
});

const options = { chdir: APPS, python: "python3" };
const BUSY: Readonly<Record<string, { make: () => Gateway; waiting: number; inFlight: number }>> = {
  WSGI: { make: () => wsgi("app", options), waiting: 2, inFlight: 1 },
  ASGI: { make: () => asgi("asgi:application", { ...options, concurrency: 2 }), waiting: 1, inFlight: 2 },
  CGI: { make: () => cgi({ program: `${APPS}/program.py`, processes: 2 }), waiting: 1, inFlight: 2 },
};

for (const [name, { make, waiting, inFlight }] of Object.entries(BUSY))
  test(`${name}: what waits and what is inside is counted`, async (t) => {
    const gateway = make();
    t.after(() => gateway.close?.(0));
    await gateway.start?.();
    const notes = join(makeFolder(t), "note-");
    const asked = Promise.all([1, 2, 3].map(() => ask(gateway, notes)));
    let seen: GatewayStatus | undefined;
    await until(() => {
      const status = gateway.status?.() as GatewayStatus;
      const inside = status.processes.reduce((sum, process) => sum + process.inFlight, 0);
      if (status.waiting === waiting && inside === inFlight) seen = status;
      return seen !== undefined;
    });
    assert.ok(seen?.processes.every(({ state, age }) => state === "busy" && age >= 0));
    await asked;
    assert.equal(gateway.status?.().waiting, 0);
  });

test("a gateway that was not started knows its interface, and has no process", () => {
  assert.deepEqual(wsgi("app", options).status?.(), {
    interface: "WSGI",
    waiting: 0,
    processes: [],
    restarts: 0,
  });
});

test("an authorizer says what the gateway behind it says", async () => {
  const address = "unix:/no/such/socket";
  const gateway = authorized({ address }, fastcgi({ address }));
  assert.equal(gateway.status?.().interface, "FastCGI");
  await assert.rejects(gateway.scale?.({ min: 1, max: 2 }) as Promise<void>, {
    code: "ERR_SALLYPORT_NOT_SCALABLE",
  });
  await assert.rejects(gateway.stacks?.() as Promise<unknown>, { code: "ERR_SALLYPORT_STACKS_UNAVAILABLE" });
});

test("an embedded application has no processes of its own", async () => {
  const gateway = wsgi("app", { ...options, mode: "embedded" });
  assert.deepEqual(gateway.status?.().processes, []);
  await assert.rejects(gateway.scale?.({ min: 1, max: 2 }) as Promise<void>, {
    code: "ERR_SALLYPORT_NOT_READY",
  });
});
