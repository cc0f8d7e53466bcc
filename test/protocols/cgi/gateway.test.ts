import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { type Exchange, header, PushedBody, SallyportError } from "../../../src/exchange/index.ts";
import { lint } from "../../../src/exchange/lint.ts";
import { cgi } from "../../../src/protocols/cgi/index.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { ask, keptLog, PROGRAMS, program, shown, startCgi } from "./start-cgi.ts";

test("a program gets its meta-variables, its own directory and nothing of our environment", async (t) => {
  process.env.SALLYPORT_SECRET = "x";
  t.after(() => delete process.env.SALLYPORT_SECRET);
  const gateway = await startCgi(t, "show", { env: { CONFIGURED: "é", SERVER_NAME: "chosen" } });
  const { env, argv, cwd, length } = shown(await ask(gateway, { target: "/app/a/b?c=d", mount: "/app" }));
  const { PATH_INFO, SCRIPT_NAME, QUERY_STRING, GATEWAY_INTERFACE, SCRIPT_FILENAME, PATH_TRANSLATED } = env;
  assert.deepEqual(
    [SCRIPT_NAME, PATH_INFO, QUERY_STRING, GATEWAY_INTERFACE],
    ["/app", "/a/b", "c=d", "CGI/1.1"],
  );
  assert.deepEqual([SCRIPT_FILENAME, PATH_TRANSLATED], [program("show"), `${PROGRAMS}/a/b`]);
  assert.equal(env.DOCUMENT_ROOT, PROGRAMS);
  assert.deepEqual([env.CONFIGURED, env.SERVER_NAME], ["Ã©", "chosen"]);
  assert.equal(env.SALLYPORT_SECRET, undefined);
  assert.equal(env.CONTENT_LENGTH, undefined);
  assert.deepEqual([argv, cwd, length], [[], PROGRAMS, 0]);
});

test("every value arrives as the bytes that were sent, UTF-8 or not", async (t) => {
  const gateway = await startCgi(t, "show");
  const headers = ["X-Latin", "caf\xe9 '$(id)`%s\\n", "X-Utf8", "\xe3\x81\x82"];
  const { env, argv } = shown(await ask(gateway, { target: "/%ff%0a%27%0a?q", headers }));
  assert.equal(env.PATH_INFO, "/\xff\n'\n");
  assert.equal(env.HTTP_X_LATIN, "caf\xe9 '$(id)`%s\\n");
  assert.equal(env.HTTP_X_UTF8, "\xe3\x81\x82");
  assert.equal(env.PATH_TRANSLATED, `${PROGRAMS}/\xff\n'\n`);
  assert.deepEqual(argv, []);
});

test("values of many bytes that are no UTF-8 arrive, although an argument of a program has a limit", async (t) => {
  const gateway = await startCgi(t, "show");
  const long = "caf\xe9".repeat(16_000);
  const { env } = shown(await ask(gateway, { headers: ["X-Long", long, "X-Other", "\xff"] }));
  assert.ok(env.HTTP_X_LONG === long);
  assert.equal(env.HTTP_X_OTHER, "\xff");
});

test("C1: a Proxy header does not become HTTP_PROXY", async (t) => {
  const { env } = shown(await ask(await startCgi(t, "show"), { headers: ["Proxy", "http://evil"] }));
  assert.equal(env.HTTP_PROXY, undefined);
});

test("C2: an underscore in a header name does not pass for a hyphen", async (t) => {
  const { env } = shown(
    await ask(await startCgi(t, "show"), { headers: ["X_User", "forged", "X-User", "true"] }),
  );
  assert.equal(env.HTTP_X_USER, "true");
});

test("a body of known length reaches the program", async (t) => {
  const gateway = await startCgi(t, "show");
  const { env, body } = shown(await ask(gateway, { method: "POST", body: "a=b" }));
  assert.deepEqual([env.CONTENT_LENGTH, body], ["3", "a=b"]);
});

test("C3: a body of unknown length reaches the program with its true CONTENT_LENGTH, small or large", async (t) => {
  const gateway = await startCgi(t, "show");
  for (const size of [0, 5, 1_000_000]) {
    const body = new PushedBody(undefined, { pause() {}, resume() {} });
    const answer = ask(gateway, { method: "POST", headers: ["Transfer-Encoding", "chunked"], body });
    if (size > 0) body.push(Buffer.alloc(size, "x"));
    body.end();
    const { env, length } = shown(await answer);
    assert.deepEqual([env.CONTENT_LENGTH ?? "0", length], [String(size), size]);
    assert.equal(env.HTTP_TRANSFER_ENCODING, undefined);
  }
});

test("C3: a body of unknown length beyond the limit is 413", async (t) => {
  const gateway = await startCgi(t, "show", { maxBody: 10 });
  const body = new PushedBody(undefined, { pause() {}, resume() {} });
  body.push(Buffer.alloc(11));
  assert.equal((await ask(gateway, { method: "POST", body })).status, 413);
});

for (const [query, words] of [
  ["-s", ["-s"]],
  ["one+two%20three+%3d", ["one", "two three", "="]],
  ["a=b", []],
  ["", []],
  ["bad%00", []],
  ["bad%zz+good", []],
  ["not-utf8+%ff", []],
] as const) {
  test(`C4: the query "${query}" gives no arguments, and with argvFromQuery ${JSON.stringify(words)}`, async (t) => {
    const target = `/?${query}`;
    assert.deepEqual(shown(await ask(await startCgi(t, "show"), { target })).argv, []);
    const opted = await startCgi(t, "show", { argvFromQuery: true });
    assert.deepEqual(shown(await ask(opted, { target })).argv, words);
    assert.deepEqual(shown(await ask(opted, { target, method: "POST" })).argv, []);
  });
}

test("C5: a path with a byte 0 is refused before anything is run", async (t) => {
  assert.equal((await ask(await startCgi(t, "show"), { target: "/a%00b" })).status, 400);
  assert.equal((await ask(await startCgi(t, "."), { target: "/show%00.html" })).status, 400);
});

test("C5: a path that climbs is given as PATH_INFO, but is not translated to a file", async (t) => {
  const { env } = shown(await ask(await startCgi(t, "show"), { target: "/../%2e%2e/etc//passwd" }));
  assert.equal(env.PATH_INFO, "/../../etc//passwd");
  assert.equal(env.PATH_TRANSLATED, undefined);
});

test("below a directory the first file on the path is the program, and the rest is PATH_INFO", async (t) => {
  const gateway = await startCgi(t, ".");
  const file = program("below/show_place");
  for (const [target, info] of [
    ["/cgi-bin/below/show_place", ""],
    ["/cgi-bin/below/show_place/", "/"],
    ["/cgi-bin/below/show_place/a%2Fb//..", "/a/b//.."],
  ] as const) {
    const { body } = await ask(gateway, { target, mount: "/cgi-bin" });
    const translated = info === "" || info.includes("..") ? "" : PROGRAMS + info;
    assert.equal(String(body), `/cgi-bin/below/show_place|${info}|${file}|${translated}`);
  }
});

for (const target of [
  "/",
  "/below",
  "/below/",
  "/nothing",
  "/nothing/show",
  "/below/.hidden",
  "/.hidden",
  "/../cgi/show",
  "/below/../show",
  "/below/%2e%2e/show",
  "/below%2Fshow_place",
  "/below//show_place",
  "//show",
  "/%ff",
  "/below\\show_place",
]) {
  test(`C5: there is no program at ${target}`, async (t) => {
    assert.equal((await ask(await startCgi(t, "."), { target })).status, 404);
  });
}

test("a file that is not executable is 403, and runs through its interpreter when one is configured", async (t) => {
  const log = keptLog();
  assert.equal((await ask(await startCgi(t, "."), { target: "/below/note.txt", log })).status, 403);
  assert.match(log.lines.join(), /note\.txt is not executable/);
  assert.equal((await ask(await startCgi(t, "."), { target: "/below/interpreted.py" })).status, 403);
  const gateway = await startCgi(t, ".", { interpreters: { ".py": "python3" } });
  assert.equal(String((await ask(gateway, { target: "/below/interpreted.py" })).body), "python\n");
});

test("a link leads to a program inside the directory, but never out of it", async (t) => {
  const directory = makeFolder(t);
  await mkdir(join(directory, "bin"));
  await writeFile(join(directory, "bin/real"), "#!/bin/sh\nprintf 'A: b\\n\\nreal'", { mode: 0o755 });
  await symlink("real", join(directory, "bin/inside"));
  await symlink(program("show"), join(directory, "bin/outside"));
  await symlink("/bin", join(directory, "bin/folder"));
  const gateway = await startCgi(t, ".", { program: join(directory, "bin") });
  assert.equal(String((await ask(gateway, { target: "/inside" })).body), "real");
  const outside = (await ask(gateway, { target: "/outside" })).failure;
  assert.deepEqual([outside?.status, outside?.fault], [403, "config"]);
  assert.equal((await ask(gateway, { target: "/folder/sh" })).status, 403);
  const links = [dirname(program("show"))];
  const linked = await startCgi(t, ".", { program: join(directory, "bin"), links });
  assert.equal((await ask(linked, { target: "/outside" })).status, 200);
  assert.equal((await ask(linked, { target: "/folder/sh" })).status, 403);
});

test("a program that vanished is 404", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "cgi-test-"));
  const file = join(directory, "short_lived");
  await writeFile(file, "#!/bin/sh\nprintf 'A: b\\n\\n'", { mode: 0o755 });
  const gateway = await startCgi(t, ".", { program: file });
  assert.equal((await ask(gateway)).status, 200);
  await rm(directory, { recursive: true });
  assert.equal((await ask(gateway)).status, 404);
});

test("a program whose interpreter is missing is 502, with the name in the log", async (t) => {
  const log = keptLog();
  const gateway = await startCgi(t, ".", { interpreters: { ".py": "no-such-python" } });
  const { status } = await ask(gateway, { target: "/below/interpreted.py", log });
  assert.equal(status, 502);
  assert.match(log.lines.join(), /no-such-python could not be started/);
});

test("start refuses what is not there or cannot be run", async () => {
  const code = (name: string) => (error: unknown) =>
    error instanceof SallyportError && error.code === `ERR_SALLYPORT_${name}`;
  await assert.rejects(async () => cgi({ program: program("no-such") }).start?.(), code("TARGET_NOT_FOUND"));
  await assert.rejects(
    async () => cgi({ program: program("below/note.txt") }).start?.(),
    code("NOT_EXECUTABLE"),
  );
});

test("a gateway that was not started says so", async () => {
  assert.equal((await ask(lint(cgi({ program: program("show") })))).status, 503);
});

test("a HEAD request gets the head and no body", async (t) => {
  const gateway = await startCgi(t, "say", { env: { SAY: "X-A: b\\n\\nbody" } });
  const { status, headers, body, complete } = await ask(gateway, { method: "HEAD" });
  assert.deepEqual([status, headers, body.length, complete], [200, ["X-A", "b"], 0, true]);
});

test("C11: a local redirect is answered from the other path, as a GET without body", async (t) => {
  const gateway = await startCgi(t, ".");
  const request = { method: "POST", target: "/cgi/redirect?/cgi/show/x?y=z", mount: "/cgi", body: "form" };
  const { env, length } = shown(
    await ask(gateway, { ...request, headers: ["Content-Type", "a/b", "X-A", "kept"] }),
  );
  assert.deepEqual(
    [env.REQUEST_METHOD, env.SCRIPT_NAME, env.PATH_INFO, env.QUERY_STRING],
    ["GET", "/cgi/show", "/x", "y=z"],
  );
  assert.deepEqual(
    [env.CONTENT_TYPE, env.CONTENT_LENGTH, env.HTTP_X_A, length],
    [undefined, undefined, "kept", 0],
  );
});

test("C11: a local redirect goes to the server's routes when there are some", async (t) => {
  const redirect = (exchange: Exchange) =>
    exchange.respond({ status: 200, reason: "", headers: [] }, exchange.request.target);
  const gateway = await startCgi(t, "redirect", { redirect });
  const { body } = await ask(gateway, { target: "/cgi?/elsewhere?q", mount: "/cgi" });
  assert.equal(String(body), "/elsewhere?q");
});

test("C11: a local redirect out of the mount leads nowhere without routes", async (t) => {
  const gateway = await startCgi(t, "redirect");
  assert.equal((await ask(gateway, { target: "/cgi?/elsewhere", mount: "/cgi" })).status, 404);
});

test("C11: programs that redirect in a circle are stopped with 500", async (t) => {
  const gateway = await startCgi(t, "say", { env: { SAY: "Location: /again\\n\\n" } });
  const { status, body } = await ask(gateway);
  assert.equal(status, 500);
  assert.match(String(body), /CGI_REDIRECT_LOOP/);
});

test("C11: an absolute Location sends the client there", async (t) => {
  const gateway = await startCgi(t, "redirect");
  const { status, headers } = await ask(gateway, { target: "/?http://example.com/" });
  assert.deepEqual([status, header(headers, "location")], [302, "http://example.com/"]);
});

test("C12: a response without Content-Type gets none", async (t) => {
  const { headers } = await ask(await startCgi(t, "say", { env: { SAY: "Status: 200\\n\\n<html>" } }));
  assert.deepEqual(headers, []);
});

test("C16: an nph- program's status line passes only when that is enabled", async (t) => {
  const env = { SAY: "HTTP/1.1 299 Mine\\r\\nX-A: b\\r\\n\\r\\nbody" };
  assert.equal((await ask(await startCgi(t, "nph-say", { env }))).status, 502);
  const { status, reason, body } = await ask(await startCgi(t, "nph-say", { env, nph: true }));
  assert.deepEqual([status, reason, String(body)], [299, "Mine", "body"]);
  // The name decides, too.
  assert.equal((await ask(await startCgi(t, "say", { env, nph: true }))).status, 502);
});

test("C16: an nph- program's malformed status line is 502", async (t) => {
  const env = { SAY: "HTTP/1.1 20x OK\\r\\n\\r\\n" };
  assert.equal((await ask(await startCgi(t, "nph-say", { env, nph: true }))).status, 502);
});

test("an exchange whose client has left already starts nothing", async (t) => {
  const gateway = await startCgi(t, "hang");
  const exchange = new RecordedExchange();
  exchange.hangUp();
  gateway.handle(exchange);
  assert.equal((await exchange.done).complete, false);
});
