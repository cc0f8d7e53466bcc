// What the server process keeps of responses that their clients have in full. For a process of its own, with the
// interpreter of EMBEDDED_PYTHON: held.test.ts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Repeated } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import { type StartedWsgi, startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

const chdir = fileURLToPath(new URL("../apps/embedded", import.meta.url));
const python = process.env.EMBEDDED_PYTHON as string;
const noFlask = python === VENV_PYTHON ? missing("py:flask") : "Flask is in another environment";
const ends: (() => unknown)[] = [];
const scope = { after: (end: unknown) => void ends.push(end as () => unknown) };
const opened = (app: string): Promise<StartedWsgi> =>
  startWsgi(scope as never, app, { mode: "embedded", python, chdir });

/** Fewer than there were requests, by far: caches of the interpreter fill now and then. */
const FEW_OBJECTS = 200;

let app: StartedWsgi;
// Keeps the process alive, as a listening socket would.
const alive = setInterval(() => {}, 1_000);
before(async () => {
  app = await opened("held:app");
});
after(async () => {
  clearInterval(alive);
  for (const end of ends.reverse()) await end();
});

const number = async (page: string): Promise<number> => Number((await app.ask(page)).body.toString());

/** Asks many times at once, and as often one after the other; every answer must be complete. */
async function askOften(from: StartedWsgi, page: string): Promise<void> {
  const answers = await Promise.all(Array.from({ length: 900 }, () => from.ask(page)));
  for (let i = 0; i < 100; i++) answers.push(await from.ask(page));
  assert.deepEqual(
    [...new Set(answers.map(({ status, complete }) => `${status} ${complete}`))],
    ["200 true"],
  );
}

for (const [page, what] of [
  ["/closing", "announced their length"],
  ["/blocks", "did not announce it"],
])
  test(`responses that ${what} are closed when their clients have them`, async () => {
    await askOften(app, page as string);
    assert.equal(await number("/held"), 0);
  });

test("files that were sent are closed when their clients have them", async () => {
  const files = await number("/files");
  await askOften(app, "/file");
  assert.equal(await number("/files"), files);
});

test("the number of objects and of open files stays what it was", async () => {
  await askOften(app, "/blocks");
  const [objects, files] = [await number("/objects"), await number("/files")];
  for (let i = 0; i < 3; i++) for (const page of ["/closing", "/blocks", "/file"]) await askOften(app, page);
  assert.ok((await number("/objects")) - objects < FEW_OBJECTS);
  assert.equal(await number("/files"), files);
});

test("Flask: the number of objects stays what it was", { skip: noFlask }, async () => {
  const flask = await opened("flask_app:app");
  const objects = async (): Promise<number> => Number((await flask.ask("/objects")).body.toString());
  for (const page of ["/", "/file"]) await askOften(flask, page);
  const before = await objects();
  for (let i = 0; i < 4; i++) for (const page of ["/", "/file"]) await askOften(flask, page);
  assert.ok((await objects()) - before < FEW_OBJECTS);
});

test("Flask: nothing is held of responses that their clients have", { skip: noFlask }, async () => {
  const flask = await opened("flask_app:app");
  await askOften(flask, "/");
  assert.equal((await flask.ask("/held")).body.toString(), "0");
  await askOften(flask, "/file");
  assert.equal((await flask.ask("/held")).body.toString(), "0");
});

test("however quickly a client takes a long response, others have their turn in between", async () => {
  const exchange = app.exchange({ target: "/forever" });
  let [most, before] = [0, 0];
  while (exchange.chunks.length < 500) {
    await new Promise(setImmediate);
    most = Math.max(most, exchange.chunks.length - before);
    before = exchange.chunks.length;
  }
  exchange.hangUp();
  assert.ok(most < 100, `${most} blocks in one turn of the loop`);
});

test("with too many responses open a request waits for one to end, and then it is answered", async () => {
  const stalled: RecordedExchange[] = Array.from({ length: 100 }, () => {
    const exchange = app.exchange({ target: "/forever" });
    exchange.stalled = true;
    return exchange;
  });
  while (stalled.some(({ chunks }) => chunks.length === 0)) await new Promise(setImmediate);
  let answered = false;
  const waiting = app.ask("/closing").then((answer) => {
    answered = true;
    return answer;
  });
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.equal(answered, false);
  stalled.pop()?.hangUp();
  assert.equal((await waiting).status, 200);
  for (const exchange of stalled) exchange.hangUp();
});

test("when as many wait already, one more is refused with 503", async () => {
  const stalled = Array.from({ length: 100 }, () => app.exchange({ target: "/forever" }));
  for (const exchange of stalled) exchange.stalled = true;
  const waiting = Array.from({ length: 1024 }, () => app.ask("/closing"));
  const refused = await app.ask("/closing");
  assert.equal(refused.status, 503);
  assert.match(refused.body.toString(), /ERR_SALLYPORT_QUEUE_FULL/);
  for (const exchange of stalled) exchange.hangUp();
  for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 200);
});

test("a complete response whose client leaves is closed, however many steps that takes", async () => {
  const left = app.exchange({ target: "/tail" });
  left.stalled = true;
  while (left.chunks.length === 0) await turn();
  left.hangUp();
  await until(async () => (await number("/held")) === 0);
});

test("a complete response reaches a client that is slow to take it, though the application fails afterwards", async () => {
  const asked = app.exchange({ target: "/tail-that-fails" });
  asked.stalled = true;
  await app.logged(/too late to matter/);
  assert.ok(!asked.closed);
  asked.release();
  const { complete, body, error } = await asked.done;
  assert.deepEqual([complete, body.length, error], [true, 4 << 20, undefined]);
});

/** So many of each; taken by nobody, and open when this resolves. */
async function openResponses(from: StartedWsgi, count: number, pages: string[]): Promise<RecordedExchange[]> {
  const exchanges = Array.from({ length: count }, () =>
    pages.map((target) => from.exchange({ target })),
  ).flat();
  for (const exchange of exchanges) exchange.stalled = true;
  await until(() => exchanges.every(({ chunks }) => chunks.length > 0));
  return exchanges;
}

test("what the application has returned is closed where its response is cut because the link is broken", async () => {
  const open = await openResponses(app, 3, ["/endless", "/endless-written"]);
  assert.equal(await number("/held"), 6);
  assert.equal((await app.ask("/break")).status, 502);
  for (const { complete } of await Promise.all(open.map(({ done }) => done))) assert.equal(complete, false);
  await until(async () => (await number("/held")) === 0);
});

test("a request that waits for a response to end is answered where a broken link ends them all", async () => {
  await openResponses(app, 99, ["/endless"]);
  const [breaking] = await openResponses(app, 1, ["/break-after-a-block"]);
  const waiting = app.ask("/closing");
  breaking?.release();
  assert.equal((await waiting).status, 200);
  await until(async () => (await number("/held")) === 0);
});

test("after a failure of the interpreter to read a request, others like it are answered", async () => {
  await app.ask("/fail-at-next-common-part");
  const { request } = new RecordedExchange({ target: "/closing" });
  const repeated = new Repeated(request);
  const ask = async (): Promise<number> => {
    const exchange = new RecordedExchange();
    exchange.request = { ...request, repeated };
    app.gateway.handle(exchange);
    return (await exchange.done).status;
  };
  assert.equal(await ask(), 500);
  assert.equal(await ask(), 200);
  assert.equal(await ask(), 200);
});

test("what is open at the end is closed before exit functions run", async () => {
  const server = await opened("held:app");
  for (const exchange of await openResponses(server, 3, ["/ticks", "/endless-written"])) exchange.release();
  await server.gateway.close?.(0);
  assert.equal((await app.logged(/^held at the exit/)).message, "held at the exit: 0");
});
