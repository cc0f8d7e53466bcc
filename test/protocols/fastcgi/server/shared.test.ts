// Requests that share a connection, to applications that read one record after another, as Go's net/http/fcgi does: what one of them
// does to the others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawApplication, type StartedGateway, startGateway } from "../raw-application.ts";

const text = ({ body }: { body: Buffer }): string => body.toString("latin1");

/** More than the kernel takes of what nobody reads. */
const LARGE = Buffer.alloc(16_777_216, "x");

/** A request and its answer: by then the gateway has read what came before. */
async function answered(application: RawApplication, ask: StartedGateway["ask"]): Promise<void> {
  const asked = ask();
  (await application.next()).answer("ok");
  await asked;
}

test("what an application says of a request that was aborted within its body is in no other answer", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MPXS_CONNS: "1" } });
  const { ask, exchange } = await startGateway(t, { address: application.address });
  const leaving = exchange({ method: "POST", body: LARGE });
  const aborted = await application.next();
  aborted.socket.pause();
  leaving.hangUp();
  aborted.socket.resume();
  await aborted.until(() => aborted.aborted);
  // Go ends the request here, and its handler, whose read fails, answers all the same.
  aborted.end();
  await answered(application, ask);
  const asked = ask();
  const next = await application.next();
  if (!aborted.socket.destroyed) aborted.answer("the body was cut");
  next.answer("next");
  assert.equal(text(await asked), "next");
});

test("an answer before the body was read does not end the request that follows", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MPXS_CONNS: "1" } });
  const { ask } = await startGateway(t, { address: application.address });
  const refused = ask({ method: "POST", body: LARGE });
  const large = await application.next();
  large.socket.pause();
  large.stdout("Status: 413\r\nContent-Length: 9\r\n\r\ntoo large");
  assert.equal((await refused).status, 413);
  large.end();
  large.socket.resume();
  await large.until(() => large.aborted);
  await answered(application, ask);
  const asked = ask();
  const next = await application.next();
  // Go has thrown the rest of the body away, and ends the request again for the abort that follows it.
  if (!large.socket.destroyed) large.end();
  next.answer("next");
  assert.equal(text(await asked), "next");
});

for (const [connections, shares] of [
  [2, false],
  [1, true],
] as const) {
  const does = shares ? "shares its connection where there can be no other" : "has another connection";
  test(`a request that follows one with a body, which may not be read soon, ${does}`, async (t) => {
    const application = await RawApplication.start(t, { values: { FCGI_MPXS_CONNS: "1" } });
    const { ask } = await startGateway(t, { address: application.address, connections });
    const answers = [ask({ method: "POST", body: "unread" })];
    const first = await application.next();
    answers.push(ask());
    const second = await application.next();
    answers.push(ask());
    const third = await application.next();
    assert.equal(second.socket === first.socket, shares);
    assert.equal(third.socket, second.socket);
    for (const request of [first, second, third]) request.answer("ok");
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
    // With their ends it can carry others again.
    const asked = [ask(), ask()];
    const [fourth, fifth] = [await application.next(), await application.next()];
    assert.equal(fourth.socket === fifth.socket || !shares, true);
    for (const request of [fourth, fifth]) request.answer("ok");
    await Promise.all(asked);
    assert.equal(application.connections, connections);
  });
}
