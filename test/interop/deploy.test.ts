// examples/deploy/: each file is checked by the tool that knows its format, and what can run here, runs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { makeFolder } from "../kit/make-folder.ts";
import { findProgram, missing, needs } from "../kit/needs.ts";
import { gone } from "../kit/processes.ts";
import { serve } from "../kit/serve.ts";
import { startActivated } from "../kit/start-activated.ts";
import { until } from "../kit/until.ts";
import { startPeer } from "./peer.ts";

const DEPLOY = fileURLToPath(new URL("../../examples/deploy", import.meta.url));
const CONTAINER = join(DEPLOY, "container");
const read = (name: string): string => readFileSync(join(DEPLOY, name), "utf8");

/** Status and output of a tool. */
function run(name: string, ...args: string[]): { status: number | null; text: string } {
  const program = findProgram(name) as string;
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 100_000 });
  return { status, text: stdout + stderr };
}

interface Manifest {
  readonly kind: string;
  readonly spec: {
    template: {
      spec: {
        terminationGracePeriodSeconds: number;
        containers: { lifecycle: { preStop: { sleep: { seconds: number } } }; args: string[] }[];
      };
    };
    metrics: { pods: { metric: { name: string } } }[];
  };
}

const manifests = (): Manifest[] =>
  parseAllDocuments(read("kubernetes/sallyport.yaml")).map((document) => document.toJS());
const manifest = (kind: string): Manifest => manifests().find((one) => one.kind === kind) as Manifest;
const seconds = (time: string): number => Number(/^(\d+)s$/.exec(time)?.[1]);
const config = parse(read("container/sallyport.config.yaml")) as { grace: string };

test("the Dockerfile passes hadolint", (t) => {
  if (!needs(t, "hadolint")) return;
  assert.deepEqual(run("hadolint", join(CONTAINER, "Dockerfile")), { status: 0, text: "" });
});

test("hadolint is not silent about everything", (t) => {
  if (!needs(t, "hadolint")) return;
  const file = join(makeFolder(t), "Dockerfile");
  writeFileSync(file, "FROM debian\nRUN cd /tmp && apt-get install foo\n");
  assert.equal(run("hadolint", file).status, 1);
});

test("the Kubernetes manifests are valid by its own schemas, unknown keys included", (t) => {
  if (!needs(t, "kubernetes-validate")) return;
  const { status, text } = run("kubernetes-validate", "--strict", join(DEPLOY, "kubernetes/sallyport.yaml"));
  assert.equal(status, 0, text);
  for (const kind of ["deployment", "service", "poddisruptionbudget", "horizontalpodautoscaler"])
    assert.match(text, new RegExp(`passed for resource ${kind}/shop`));
  const file = join(makeFolder(t), "wrong.yaml");
  writeFileSync(file, read("kubernetes/sallyport.yaml").replace("periodSeconds: 5", "periodSecond: 5"));
  assert.notEqual(run("kubernetes-validate", "--strict", file).status, 0);
});

test("Kubernetes waits for preStop, the grace and the shutdown of the applications before it kills", () => {
  const { terminationGracePeriodSeconds, containers } = manifest("Deployment").spec.template.spec;
  const [container] = containers;
  const preStop = container?.lifecycle.preStop.sleep.seconds as number;
  assert.ok(terminationGracePeriodSeconds >= preStop + seconds(config.grace) + 5);
});

test("systemd waits for the grace, too", () => {
  const [, stop] = /^TimeoutStopSec=(\d+)$/m.exec(read("systemd/sallyport.service")) ?? [];
  assert.ok(Number(stop) >= seconds(config.grace) + 5);
});

test("the systemd units pass systemd-analyze verify", (t) => {
  if (!needs(t, "systemd-analyze")) return;
  const folder = makeFolder(t);
  const units = ["sallyport.socket", "sallyport.service"].map((name) => {
    const file = join(folder, name);
    // It looks for the programs.
    writeFileSync(file, read(`systemd/${name}`).replaceAll("/usr/bin/node", process.execPath));
    return file;
  });
  const { status, text } = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", ...units);
  assert.equal(status, 0, text);
  assert.doesNotMatch(text, /sallyport\.(socket|service)/);
  const wrong = units[1] as string;
  writeFileSync(wrong, readFileSync(wrong, "utf8").replace("WatchdogSec=30", "WatchdogSec=often"));
  assert.match(
    run("systemd-analyze", "verify", "--man=no", ...units).text,
    /sallyport\.service:\d+: Failed to parse/,
  );
});

test("systemd's socket activation: the first connection starts the server, which listens nowhere else, and is answered", async (t) => {
  if (!needs(t, "systemd-socket-activate")) return;
  const { port, pid, stderr } = await startActivated(t, ["--config", "sallyport.config.yaml"], [], CONTAINER);
  assert.doesNotMatch(stderr(), /listening on http/);
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  assert.equal(await response.text(), "hello\n");
  process.kill(pid, "SIGTERM");
  await gone(pid);
  await until(() => new RegExp(`listening on http://127\\.0\\.0\\.1:${port}\\b`).test(stderr()));
  assert.equal(stderr().match(/listening on http/g)?.length, 1);
});

/** For a nginx beside others, by whichever user. */
const PLACES = "daemon off; pid nginx.pid; error_log stderr warn;";
const TEMPORARY = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"]
  .map((of) => `${of}_temp_path ${of};\n`)
  .join("");

test("nginx in front, by the example", { skip: missing("nginx") }, async (t) => {
  const server = await serve(["app:app", "--port", "0", "--trust", "127.0.0.1"], { cwd: CONTAINER });
  t.after(() => server.stop());
  const peer = await startPeer({
    config: "../../examples/deploy/nginx/nginx.conf",
    places: { "8000": new URL(server.url).port, "http {": `http {\n${TEMPORARY}` },
    command: (file, folder) => ["nginx", "-p", folder, "-c", file, "-g", PLACES],
  });
  t.after(() => peer.stop());
  for (let i = 0; i < 5; i++) assert.equal(await (await fetch(peer.url(8080))).text(), "hello\n");
});
