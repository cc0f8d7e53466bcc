// git http-backend, the CGI program that more people depend on than on any other: clone and push through us.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { header } from "../../../src/exchange/index.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { needs } from "../../kit/needs.ts";
import { serve } from "../../kit/serve-http1.ts";
import { startCgi } from "./start-cgi.ts";

const MEGABYTES = 100;

interface Site {
  readonly directory: string;
  readonly url: string;
  /** How bodies of requests came, so that a test can tell that it tested what it says. */
  readonly seen: Set<string>;
  git(...args: string[]): Promise<string>;
}

/** A directory with an empty bare repository `all.git`, served, and a git that knows nothing of its user. */
async function site(t: TestContext): Promise<Site> {
  const directory = makeFolder(t);
  const own = { HOME: directory, GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" };
  const env = {
    ...own,
    PATH: process.env.PATH,
    GIT_AUTHOR_NAME: "a",
    GIT_AUTHOR_EMAIL: "a@b",
    GIT_COMMITTER_NAME: "a",
    GIT_COMMITTER_EMAIL: "a@b",
  };
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)("git", args, { cwd: directory, env, maxBuffer: 1e8 });
    return stdout.trim();
  };
  await git("init", "--bare", "-b", "main", "all.git");
  await git("-C", "all.git", "config", "http.receivepack", "true");
  const backend = join(execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim(), "git-http-backend");
  const program = {
    program: backend,
    env: { ...own, GIT_PROJECT_ROOT: directory, GIT_HTTP_EXPORT_ALL: "1" },
  };
  const gateway = await startCgi(t, ".", program);
  const seen = new Set<string>();
  const { port } = await serve(t, (exchange) => {
    for (const name of ["content-encoding", "transfer-encoding"])
      seen.add(header(exchange.request.headers, name) ?? "");
    exchange.mount = "/git";
    gateway.handle(exchange);
  });
  return { directory, url: `http://127.0.0.1:${port}/git/all.git`, seen, git };
}

async function commitBlobs(work: string, { git }: Site): Promise<void> {
  for (let i = 0; i < MEGABYTES; i++) await writeFile(join(work, `blob${i}`), randomBytes(1_048_576));
  await git("-C", work, "-c", "core.compression=0", "add", ".");
  await git("-C", work, "commit", "-q", "-m", "blobs");
}

test(`git http-backend: ${MEGABYTES} MB of random blobs are pushed and cloned through us`, async (t) => {
  if (!needs(t, "git")) return;
  const here = await site(t);
  const { directory, url, git } = here;
  const work = join(directory, "work");
  await git("init", "-q", "-b", "main", work);
  await commitBlobs(work, here);
  await git("-C", work, "-c", "core.compression=0", "push", "-q", url, "main");
  assert.ok(here.seen.has("chunked"));
  await git("clone", "-q", url, "copy");
  assert.equal(await git("-C", "copy", "rev-parse", "HEAD"), await git("-C", work, "rev-parse", "HEAD"));
  // Reads every blob and compares it with its name.
  await git("-C", "copy", "fsck", "--full", "--strict");
});

test("git http-backend: a second push, a fetch with a compressed request, and a shallow clone work", async (t) => {
  if (!needs(t, "git")) return;
  const { directory, url, git, seen } = await site(t);
  const work = join(directory, "work");
  await git("init", "-q", "-b", "main", work);
  for (let i = 0; i < 40; i++) await git("-C", work, "commit", "-q", "--allow-empty", "-m", `commit ${i}`);
  await git("-C", work, "push", "-q", url, "main");
  await git("clone", "-q", url, "copy");
  // Forty new commits to want are more than the kilobyte from which git sends its list with Content-Encoding: gzip.
  for (let i = 0; i < 40; i++) {
    const commit = await git("-C", work, "commit-tree", "main^{tree}", "-p", "main", "-m", `tip ${i}`);
    await git("-C", work, "branch", `branch${i}`, commit);
  }
  await git("-C", work, "commit", "-q", "--allow-empty", "-m", "more");
  await git("-C", work, "push", "-q", "--all", url);
  await git("-C", "copy", "commit", "-q", "--allow-empty", "-m", "mine");
  await git("-C", "copy", "fetch", "-q");
  assert.ok(seen.has("gzip"));
  assert.equal(
    await git("-C", "copy", "rev-parse", "origin/main"),
    await git("-C", work, "rev-parse", "main"),
  );
  await git("clone", "-q", "--depth", "1", url, "shallow");
  assert.equal(await git("-C", "shallow", "rev-list", "--count", "HEAD"), "1");
});

test("git http-backend: what is not there is its own 404", async (t) => {
  if (!needs(t, "git")) return;
  const { url } = await site(t);
  assert.equal((await fetch(`${url}/../none.git/info/refs?service=git-upload-pack`)).status, 404);
});
