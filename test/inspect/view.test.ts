// A captured exchange as it is shown: what crossed in both directions, at every gateway.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { InterfaceName } from "../../src/explain/facts.ts";
import type { HandoverContext } from "../../src/explain/handover.ts";
import { Captures } from "../../src/inspect/captures.ts";
import { summaryOf } from "../../src/inspect/summary.ts";
import { type RecordingView, viewOf } from "../../src/inspect/view.ts";
import { cgi } from "../../src/protocols/cgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { FROM_WORKER } from "../../src/workers/link.ts";
import { assertCovers, fieldAt } from "../kit/covers.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { GATEWAYS } from "../matrix/gateways.ts";
import { Scope } from "../matrix/scope.ts";

const SECRET = "Bearer tellnobody";

const CONTEXT: HandoverContext = {
  inherited: {},
  variables: {},
  program: { file: "/program", mount: "/shop", interpreter: undefined, nph: false },
  documentRoot: "/",
  argvFromQuery: false,
  byProxy: false,
  threads: 8,
  processes: 1,
};

/** Has the application of the conformance suite answer "hello", and captures it. */
async function capture(t: TestContext, name: string): Promise<{ view: RecordingView; text: string }> {
  const scope = new Scope();
  t.after(() => scope.close());
  const gateway = await (GATEWAYS[name] as (typeof GATEWAYS)[string]).open(scope);
  scope.onClose(() => gateway.close?.(0));
  await gateway.start?.();
  const script = {
    kind: "answer",
    body: "hello",
    headers: ["Content-Type", "text/plain", "Set-Cookie", "sid=topsecret"],
    notes: join(makeFolder(t), "note-"),
  };
  const captures = new Captures();
  captures.begin();
  const exchange = new RecordedExchange({
    method: "POST",
    target: "/shop/a?b=c",
    mount: "/shop",
    authority: "example.org",
    headers: [
      "host",
      "example.org",
      "authorization",
      SECRET,
      "x-conformance",
      Buffer.from(JSON.stringify(script)).toString("base64url"),
    ],
    body: "a=1",
  });
  const { done } = exchange;
  captures.around(gateway, "shop").handle(exchange);
  await done;
  const [recording] = captures.all;
  assert.ok(recording);
  const view = viewOf(recording, name as InterfaceName, CONTEXT);
  return { view, text: JSON.stringify({ view, summary: summaryOf(recording) }) };
}

const bytesOf = ({ bytes }: { bytes: string }): Buffer => Buffer.from(bytes, "base64");

describe("at each gateway", () => {
  for (const name of Object.keys(GATEWAYS).filter((one) => one !== "exchange"))
    test(`${name}: what was handed over, what came back, and when`, async (t) => {
      const { view, text } = await capture(t, name);
      assert.equal(view.status, 200);
      assert.equal(view.handover?.interface, name);
      assert.equal(bytesOf(view.request.body).toString(), "a=1");
      assert.equal(bytesOf(view.response?.body ?? { bytes: "" }).toString(), "hello");
      const { handedOver = -1, head = -1, ended = -1 } = view.steps;
      assert.ok(handedOver >= 0 && handedOver <= head && head <= ended, JSON.stringify(view.steps));
      assert.ok(!text.includes("tellnobody") && !text.includes("topsecret"), "secrets are masked");
      assert.ok(!Buffer.concat(messagesOf(view)).toString("latin1").includes("tellnobody"));
    });
});

const messagesOf = (view: RecordingView): Buffer[] => [
  ...(view.handover?.messages ?? []).map(({ bytes }) => bytes),
  bytesOf(view.answer),
];

describe("what the application sent, as it came", () => {
  test("a CGI program's output, and FastCGI's", async (t) => {
    for (const name of ["cgi", "fastcgi", "scgi", "uwsgi"]) {
      const { view } = await capture(t, name);
      const bytes = bytesOf(view.answer);
      assertCovers(view.answer.fields, 0, bytes.length, name);
      assert.equal(fieldAt(view.answer.fields, "body").value, "hello", name);
      assert.match(bytes.toString(), /^(Status:|HTTP\/1\.1) 200/, name);
      assert.match(bytes.toString(), /Set-Cookie: \*{13}/, name);
    }
  });

  test("frames of a worker", async (t) => {
    for (const name of ["wsgi", "asgi"]) {
      const { view } = await capture(t, name);
      assertCovers(view.answer.fields, 0, bytesOf(view.answer).length, name);
      assert.match(view.answer.fields[0]?.value ?? "", /^(RESPONSE|ANSWER|HEAD) of stream \d+$/, name);
    }
  });
});

test("the same request again, as a command, its secrets masked", async (t) => {
  const { view } = await capture(t, "fetch");
  assert.match(
    view.curl,
    /^curl .*-H 'authorization: Bearer \*+' .*--data-binary a=1 'http:\/\/example\.org\/shop\/a\?b=c'$/,
  );
});

test("a body beyond the bound: its true length is shown, and no bytes that were never sent", async () => {
  const captures = new Captures({ bytes: 4 });
  captures.begin();
  captures
    .captured(new RecordedExchange({ method: "POST", body: "0123456789" }), "shop")
    .respond({ status: 204, reason: "", headers: [] }, "");
  const [recording] = captures.all;
  assert.ok(recording);
  for (const named of ["wsgi", "scgi", "fastcgi"] as const) {
    const { handover, request } = viewOf(recording, named, CONTEXT);
    assert.equal(handover?.values.find(({ name }) => name === "CONTENT_LENGTH")?.value, "10", named);
    assert.deepEqual(handover?.messages, [], named);
    assert.equal(request.body.cut, true);
  }
});

describe("an answer without a head that could be sent", () => {
  const documents = [
    "Set-Cookie: sid=topsecret\nno header\n\nhi",
    "\nSet-Cookie: sid=topsecret\n\nhi",
    "Status: many\nSet-Cookie: sid=topsecret;\n more=topsecret\n\nhi",
  ];
  for (const document of documents)
    test(`a program's, its secrets masked: ${JSON.stringify(document)}`, async (t) => {
      const folder = makeFolder(t);
      writeFileSync(join(folder, "say"), `#!/bin/sh\nprintf '%s' '${document}'\n`, { mode: 0o755 });
      const gateway = cgi({ program: join(folder, "say") });
      t.after(() => gateway.close?.(0));
      await gateway.start?.();
      const captures = new Captures();
      captures.begin();
      const exchange = new RecordedExchange();
      captures.around(gateway, "shop").handle(exchange);
      assert.equal((await exchange.done).status, 502);
      const [recording] = captures.all;
      assert.ok(recording);
      const view = viewOf(recording, "cgi", CONTEXT);
      assert.equal(bytesOf(view.answer).length, document.length);
      const text = bytesOf(view.answer).toString() + JSON.stringify(view);
      assert.ok(!text.includes("topsecret"), bytesOf(view.answer).toString());
    });

  test("a worker's frames, of which nothing else is changed", () => {
    const captures = new Captures();
    captures.begin();
    captures.captured(new RecordedExchange(), "shop");
    const [recording] = captures.all;
    assert.ok(recording);
    // A length of 32 begins like a line that continues the one before it.
    const frames = [
      frameOf(FROM_WORKER.HEAD, "\x00200 OK\r\nSet-Cookie: sid=topsecret\r\n"),
      frameOf(FROM_WORKER.CHUNK, "x".repeat(32)),
    ];
    for (const frame of frames) recording.trace.answered(frame);
    const { answer } = viewOf(recording, "wsgi", CONTEXT);
    const expected = Buffer.concat(frames).toString("latin1").replace("sid=topsecret", "*".repeat(13));
    assert.equal(bytesOf(answer).toString("latin1"), expected);
    assert.deepEqual(
      answer.fields.map(({ value }) => value),
      ["HEAD of stream 1", "CHUNK of stream 1"],
    );
  });
});

function frameOf(kind: number, payload: string): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(1, 4);
  header[8] = kind;
  return Buffer.concat([header, Buffer.from(payload, "latin1")]);
}
