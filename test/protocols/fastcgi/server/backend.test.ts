// How long connections to an application are kept, so that others who need its processes get their turn.
import assert from "node:assert/strict";
import { once } from "node:events";
import { rename } from "node:fs/promises";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { silentLog } from "../../../../src/exchange/index.ts";
import { RESPONSE_BUFFER_LIMITS } from "../../../../src/exchange/response-buffer.ts";
import { pairText } from "../../../../src/protocols/fastcgi/pairs.ts";
import { Backend, type BackendOptions } from "../../../../src/protocols/fastcgi/server/backend.ts";
import { Backends } from "../../../../src/protocols/fastcgi/server/backends.ts";
import { OutgoingRequest } from "../../../../src/protocols/fastcgi/server/request.ts";
import { RecordedExchange } from "../../../../src/testing/recorded.ts";
import { Upstream } from "../../../../src/upstreams/index.ts";
import { until } from "../../../kit/until.ts";
import { RawApplication } from "../raw-application.ts";

const SETTINGS = { log: silentLog, timeout: 0, stallTimeout: 0, buffer: RESPONSE_BUFFER_LIMITS };

/** Longer than a turn, with the time until that is noticed. */
const LONGER = 2_500;

/** Otherwise a connection that is not given back would be waited for until its `idleTimeout`. */
const LIMITED = { timeout: 20_000 };

/** An application, and one request after another to it. */
async function start(
  t: TestContext,
  more: Partial<BackendOptions>,
  multiplexes: "0" | "1",
  shared?: RawApplication,
) {
  const application = shared ?? (await RawApplication.start(t, { values: { FCGI_MPXS_CONNS: multiplexes } }));
  const backends = new Backends({ queue: 10, queueTimeout: 10_000, log: silentLog, replaced: false });
  const options = { keep: true, connections: 1, idleTimeout: undefined, exclusive: false, timeout: 0 };
  const upstream = new Upstream(application.address);
  const times = { valuesTimeout: 60_000, startTimeout: 60_000 };
  const backend = new Backend(upstream, { ...options, ...times, ...more }, backends);
  backends.add(backend);
  t.after(() => backends.close(0));
  const submit = (body = Buffer.alloc(0)): RecordedExchange => {
    const exchange = new RecordedExchange();
    const params = pairText("REQUEST_METHOD", "GET");
    const what = {
      role: "responder",
      params,
      body,
      repeatable: true,
      file: undefined,
    } as const;
    backends.submit(new OutgoingRequest(exchange, what, SETTINGS));
    return exchange;
  };
  const ask = async () => {
    const exchange = submit();
    const request = await application.next();
    request.answer("ok");
    assert.equal((await exchange.done).status, 200);
    return request.socket;
  };
  return { application, backend, backends, submit, ask };
}

test("a kept connection to a process that others may wait for is closed after a moment", async (t) => {
  const { application, ask } = await start(t, {}, "0");
  const socket = await ask();
  if (!socket.readableEnded) await once(socket, "end");
  await ask();
  assert.equal(application.connections, 2);
});

test("a connection that is never idle for long is closed after its turn, and no request is lost", async (t) => {
  const { application, ask } = await start(t, { idleTimeout: 60_000 }, "0");
  while (application.connections < 3) await ask();
});

test("an app gives its idle connection back when one of another app may wait for it", LIMITED, async (t) => {
  const { application, ask } = await start(t, { idleTimeout: 600_000 }, "0");
  const other = await start(t, {}, "0", application);
  const socket = await ask();
  const { done } = other.submit();
  const request = await application.next();
  if (!socket.readableEnded) await once(socket, "end");
  request.answer("ok");
  assert.equal((await done).status, 200);
});

test(
  "an app gives its busy connection back after a request for which another may wait",
  LIMITED,
  async (t) => {
    const { application, submit } = await start(t, { idleTimeout: 600_000, exclusive: true }, "0");
    const other = await start(t, {}, "0", application);
    const first = submit();
    const inside = await application.next();
    const { done } = other.submit();
    const waiting = await application.next();
    await delay(100); // After this it may be waiting to be accepted.
    inside.answer("ok");
    assert.equal((await first.done).status, 200);
    await until(() => inside.socket.readableEnded);
    waiting.answer("ok");
    assert.equal((await done).status, 200);
  },
);

for (const [which, options, multiplexes] of [
  ["that carries several requests", {}, "1"],
  ["to a process that was started for us", { exclusive: true }, "0"],
  ["that may be idle for longer, as configured,", { idleTimeout: 60_000 }, "0"],
] as const) {
  test(`a connection ${which} is kept`, async (t) => {
    const { application, ask } = await start(t, options, multiplexes);
    await ask();
    await delay(LONGER);
    await ask();
    assert.equal(application.connections, 1);
  });
}

test("all who wait for the last request at a backend learn of its end", LIMITED, async (t) => {
  const { application, backend, submit } = await start(t, {}, "1");
  const { done } = submit();
  await application.next();
  // A process that finishes what it has ends before it has finished.
  await Promise.all([backend.drain(120_000), backend.drain(0)]);
  assert.equal((await done).status, 503);
});

test("an application that leaves the question of its start unanswered is not asked again before its first request", async (t) => {
  const { application, backend, submit } = await start(t, { exclusive: true, valuesTimeout: 50 }, "0");
  application.silent = true;
  assert.equal(await backend.introduce(50), false);
  const { done } = submit();
  const request = await application.next();
  assert.equal(application.questions, 1);
  request.answer("ok");
  assert.equal((await done).status, 200);
});

test("libfcgi, which reads beyond a question before it answers, is ready at once; its numbers are not believed, and nothing is kept", async (t) => {
  const values = { FCGI_MAX_CONNS: "1", FCGI_MAX_REQS: "1", FCGI_MPXS_CONNS: "0" };
  const application = await RawApplication.start(t, { values });
  application.readsBeyond = true;
  const more = { exclusive: true, keep: undefined, connections: undefined };
  const { backend, submit } = await start(t, more, "0", application);
  assert.equal(await backend.introduce(60_000), true);
  const exchanges = [submit(), submit()];
  const requests = [await application.next(), await application.next()];
  assert.deepEqual(
    requests.map(({ keep }) => keep),
    [false, false],
  );
  for (const request of requests) request.answer("ok");
  for (const { done } of exchanges) assert.equal((await done).status, 200);
  assert.equal(application.questions, 1);
});

test("an application that is only slow to answer is believed", async (t) => {
  const values = { FCGI_MAX_CONNS: "1", FCGI_MAX_REQS: "1", FCGI_MPXS_CONNS: "0" };
  const application = await RawApplication.start(t, { values });
  const more = { exclusive: true, keep: undefined, connections: undefined };
  const { backend, submit } = await start(t, more, "0", application);
  application.silent = true;
  const introduced = backend.introduce(60_000);
  await until(() => application.questions > 0);
  await delay(100); // it has been asked again meanwhile
  application.silent = false;
  application.answerQuestions(2);
  assert.equal(await introduced, true);
  const { done } = submit();
  const request = await application.next();
  assert.equal(request.keep, true);
  request.answer("ok");
  assert.equal((await done).status, 200);
});

test("an application that was too slow to answer the question of its start is asked again once it has spoken", async (t) => {
  const { application, backend, submit, ask } = await start(t, { exclusive: true, connections: 2 }, "1");
  application.silent = true;
  await backend.introduce(50);
  application.silent = false;
  await ask();
  await until(() => application.questions >= 2);
  const question = application.sockets.at(-1);
  await until(() => question?.destroyed === true);
  // The kept connection takes one request, and a new one the others.
  const exchanges = [submit(), submit(), submit()];
  for (const _ of exchanges) (await application.next()).answer("ok");
  for (const { done } of exchanges) assert.equal((await done).status, 200);
  assert.equal(application.connections, 2);
});

test(
  "an application that never answers is not kept from its next request by the second question for long",
  LIMITED,
  async (t) => {
    const { application, backend, ask } = await start(t, { exclusive: true, keep: undefined }, "0");
    application.silent = true;
    await backend.introduce(50);
    await ask();
    await until(() => application.questions >= 2);
    // As libfcgi, which goes on when the client of the question has left.
    await until(() => application.sockets.every((socket) => socket.destroyed));
  },
);

test(
  "an application is not asked what the options say, for those that end of the question",
  LIMITED,
  async (t) => {
    const options = { exclusive: true, keep: false, connections: 2, valuesTimeout: 50, startTimeout: 0 };
    const { application, backend, ask } = await start(t, options, "1");
    assert.equal(await backend.introduce(60_000), false);
    (await ask()).end();
    (await ask()).end();
    let hung = false;
    backend.onHang = () => {
      hung = true;
    };
    backend.doubt(0);
    await until(() => hung);
    assert.equal(application.questions, 0);
  },
);

for (const [which, startTimeout, hangs] of [
  ["may still be starting", 60_000, false],
  ["should have started", 0, true],
] as const) {
  test(`a process that has said nothing yet, and ${which}, ${hangs ? "hangs" : "does not hang"}`, async (t) => {
    const { application, backend } = await start(
      t,
      { exclusive: true, valuesTimeout: 50, startTimeout },
      "0",
    );
    application.silent = true;
    await backend.introduce(50);
    let hung = false;
    backend.onHang = () => {
      hung = true;
    };
    backend.doubt(0);
    if (hangs) await until(() => hung);
    else await delay(500);
    assert.equal(hung, hangs);
  });
}

test(
  "a process that may still be starting gets requests when no other has room for them",
  LIMITED,
  async (t) => {
    const { application, backends, submit, ask } = await start(t, { exclusive: true }, "0");
    await ask();
    const slow = await start(t, { exclusive: true }, "0");
    slow.application.silent = true;
    await slow.backend.introduce(50);
    backends.add(slow.backend);
    for (let i = 0; i < 4; i++) await ask();
    const { done } = submit();
    const inside = await application.next();
    const second = submit();
    (await slow.application.next()).answer("ok");
    assert.equal((await second.done).status, 200);
    inside.answer("ok");
    assert.equal((await done).status, 200);
  },
);

test(
  "a request whose client leaves while the application is asked what it can do is not begun",
  LIMITED,
  async (t) => {
    const { application, backend, submit } = await start(t, { connections: 2 }, "0");
    const first = submit();
    const inside = await application.next();
    // A connection that fails has the application asked again, before the next request.
    const path = application.address.replace("unix:", "");
    await rename(path, `${path}.away`);
    assert.equal((await submit().done).status, 502);
    await rename(`${path}.away`, path);
    application.silent = true;
    const left = submit(Buffer.alloc(100_000));
    await until(() => application.questions === 2);
    left.hangUp();
    // The connection of the first request is free when the answer comes.
    inside.answer("ok");
    assert.equal((await first.done).status, 200);
    await until(() => !backend.settling);
    application.answerQuestions(1);
    await until(() => backend.busy === 0);
    const next = [submit(), submit()];
    for (const _ of next) (await application.next()).answer("ok");
    for (const { done } of next) assert.equal((await done).status, 200);
    assert.equal(backend.requests, 5);
  },
);
