// The same application behind nginx: what nginx sends us is true, and no nginx stays.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Behind, type BehindParts, type BehindView } from "../../src/demo/behind.ts";
import { BEHIND } from "../../src/demo/questions.ts";
import { Tap } from "../../src/demo/tap.ts";
import { silentLog } from "../../src/exchange/index.ts";
import type { WireField } from "../../src/wire/fields.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { commandOf, descendantsOf } from "../kit/processes.ts";
import type { Served } from "../kit/serve.ts";
import { until } from "../kit/until.ts";
import { json, type SentRecording, startDemo } from "./start-demo.ts";

type View = BehindView & { readonly recording: SentRecording };

/** What the bytes of nginx begin with, and the decoded field that has the query. */
const BEGINS: Readonly<Record<(typeof BEHIND)[number], RegExp>> = {
  fastcgi: /^\x01\x01\0\x01/,
  scgi: /^\d+:CONTENT_LENGTH\0/,
  uwsgi: /^\0/,
  http: /^GET \/wsgi\/hello\?name=you HTTP\/1\.1\r\n/,
};

const fieldsIn = (fields: readonly WireField[]): WireField[] =>
  fields.flatMap((field) => [field, ...fieldsIn(field.fields ?? [])]);

describe("with nginx", { skip: missing("nginx", "python3") }, () => {
  let site: Served;
  before(async () => {
    site = await startDemo();
  });
  after(() => site.stop());

  const behind = (protocol: string): Promise<View> =>
    json(`${site.url}/demo/behind`, { method: "POST", body: JSON.stringify({ protocol }) });

  for (const protocol of BEHIND)
    test(`a request comes through nginx by ${protocol}`, async () => {
      const { recording, fromNginx, nginxConfig, story } = await behind(protocol);
      const bytes = Buffer.from(fromNginx.bytes, "base64").toString("latin1");
      assert.match(bytes, BEGINS[protocol]);
      assert.ok(bytes.includes("name=you"));
      const fields = fieldsIn(fromNginx.fields);
      assert.ok(
        fields.some(({ value }) => value.includes("name=you")),
        JSON.stringify(fields),
      );
      assert.equal(recording.status, 200);
      assert.equal(recording.request.mount, "/wsgi");
      assert.equal(recording.request.remote, "127.0.0.1", "the client, as nginx says it");
      assert.match(
        nginxConfig,
        protocol === "http" ? /proxy_pass / : new RegExp(`${protocol}_param QUERY_STRING`),
      );
      assert.match(story.server, /nginx/);
      assert.match(story.application, /Sallyport/);
      await until(() => !descendantsOf(site.pid).some((pid) => /nginx/.test(commandOf(pid))));
    });

  test("several at the same time wait for one another, and too many are refused", async () => {
    const asked = await Promise.all(
      Array.from({ length: 6 }, () =>
        fetch(`${site.url}/demo/behind`, { method: "POST", body: '{"protocol":"scgi"}' }),
      ),
    );
    const statuses = asked.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 200, 200, 200, 503, 503]);
  });
});

const parts = (nginx: BehindParts["nginx"], directory: string): BehindParts => ({
  nginx,
  directory,
  door: "fetch",
  gateway: () => ({ handle: (exchange) => exchange.respond({ status: 200, reason: "", headers: [] }, "") }),
  recording: async () => ({}),
  log: silentLog,
});

test("without nginx it says how to get it", async (t) => {
  const behind = new Behind(
    parts({ why: "nginx is not installed: `apt install nginx-light`" }, makeFolder(t)),
  );
  await assert.rejects(behind.ask("fastcgi"), {
    code: "ERR_SALLYPORT_NGINX_MISSING",
    status: 503,
    message: /apt install/,
  });
});

test("an nginx that ends at once is an error that says so, and leaves nothing", async (t) => {
  const behind = new Behind(parts({ path: process.execPath, version: "1" }, makeFolder(t)));
  await assert.rejects(behind.ask("fastcgi"), { code: "ERR_SALLYPORT_SPAWN_FAILED", message: /^nginx / });
});

test("an nginx that never listens is ended after its time", async (t) => {
  const folder = makeFolder(t);
  const program = join(folder, "nginx");
  writeFileSync(program, "#!/bin/sh\necho waiting for ever\nexec sleep 600\n", { mode: 0o755 });
  const behind = new Behind({ ...parts({ path: program, version: "1" }, folder), timeout: 300 });
  await assert.rejects(behind.ask("scgi"), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
    message: "nginx does not listen in time",
    detail: "waiting for ever",
  });
  assert.deepEqual(readdirSync(folder), ["nginx"]);
});

test("an application that does not answer through nginx is given up", {
  skip: missing("nginx"),
}, async (t) => {
  const given = parts({ path: "nginx", version: "1" }, makeFolder(t));
  const behind = new Behind({ ...given, gateway: () => ({ handle: () => {} }), timeout: 3_000 });
  await assert.rejects(behind.ask("http"), {
    code: "ERR_SALLYPORT_UPSTREAM_BROKEN",
    message: /no answer in time/,
  });
});

test("the first 64 KiB that pass are kept, and all of them pass", async (t) => {
  const folder = makeFolder(t);
  const [path, target] = [join(folder, "tap"), join(folder, "server")];
  const received: Buffer[] = [];
  const server = createServer((socket) =>
    socket.on("data", (piece) => received.push(piece)).on("end", () => socket.end("done")),
  );
  await once(server.listen(target), "listening");
  t.after(() => server.close());
  const tap = await Tap.open(path, target);
  t.after(() => tap.close());
  const client = connect({ path, allowHalfOpen: true });
  client.end(Buffer.alloc(200_000, "x"));
  const [answer] = await once(client, "data");
  assert.equal(String(answer), "done");
  assert.equal(Buffer.concat(received).length, 200_000);
  assert.equal(tap.bytes.length, 65_536);
});

test("after its end it starts nothing", async (t) => {
  const behind = new Behind(parts({ path: process.execPath, version: "1" }, makeFolder(t)));
  await behind.close();
  await assert.rejects(behind.ask("fastcgi"), { code: "ERR_SALLYPORT_STOPPING" });
});
