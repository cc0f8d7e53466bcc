// Options by environment variables, files of them, PORT, and the pid file.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { envFilesOf, loadEnvFiles } from "../../src/cli/env-file.ts";
import { helpText } from "../../src/cli/help.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { variableOf, variablesIn, withVariables } from "../../src/cli/variables.ts";
import { keepPidFile } from "../../src/server/pid-file.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { sallyport } from "../kit/run-command.ts";
import { serve, serveBy } from "../kit/serve.ts";

const BIN = new URL("../../bin/sallyport.js", import.meta.url).pathname;

test("every option but help and version has a variable, and --help says so", () => {
  for (const name of Object.keys(OPTIONS)) {
    const { warnings } = variablesIn({ [variableOf(name)]: "" });
    assert.equal(warnings.length > 0, name === "help" || name === "version", name);
  }
  assert.match(helpText(), /SALLYPORT_HTTP for --http/);
});

test("values are read as those of options; several stand for an option that may be repeated", () => {
  const env = {
    SALLYPORT_HTTP: "127.0.0.1:81, unix:/run/x",
    SALLYPORT_SERVER_PROCESSES: "2",
    SALLYPORT_EMBEDDED: "true",
    SALLYPORT_PATHSEND: "0",
    SALLYPORT_GRACE: "5s",
    SALLYPORT_THREADS: "",
  };
  const { flags, warnings } = variablesIn(env);
  assert.deepEqual(flags, {
    http: [
      { protocol: "http", kind: "tcp", host: "127.0.0.1", port: 81 },
      { protocol: "http", kind: "unix", path: "/run/x" },
    ],
    "server-processes": 2,
    embedded: true,
    grace: 5000,
  });
  assert.deepEqual(warnings, []);
});

test("a misspelt variable is warned of, with the nearest; a wrong value is an error that names it", () => {
  const { warnings } = variablesIn({ SALLYPORT_PROCESES: "2", SALLYPORT_DEV: "1" });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /SALLYPORT_PROCESES.*did you mean SALLYPORT_PROCESSES/);
  const usage = { code: "ERR_SALLYPORT_USAGE" };
  assert.throws(() => variablesIn({ SALLYPORT_PORT: "x" }), {
    ...usage,
    message: /SALLYPORT_PORT must be a number.*"x"/,
  });
  assert.throws(() => variablesIn({ SALLYPORT_EMBEDDED: "maybe" }), {
    ...usage,
    message: /SALLYPORT_EMBEDDED must be 1 or 0/,
  });
});

test("options of the command line come first; its address takes the place of all others; other targets' are left out", () => {
  const given = variablesIn({
    SALLYPORT_HTTP: "8001",
    SALLYPORT_HOST: "::1",
    SALLYPORT_GRACE: "1s",
    SALLYPORT_THREADS: "4",
  });
  const { flags, warnings } = withVariables({ port: 9000, grace: 2000 }, given, "files");
  assert.deepEqual(flags, { port: 9000, host: "::1", grace: 2000 });
  assert.match(warnings.join(), /^SALLYPORT_THREADS is not used/);
  assert.equal(withVariables({}, given, "python").flags.http?.length, 1);
});

test("a file of variables fills what is not set; read again, it may change and remove what it gave", (t) => {
  const folder = makeFolder(t);
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  writeFileSync(one, "A=1\nB='b c' # why\nREAL=file\n");
  writeFileSync(two, "export A=2\n");
  const env: Record<string, string | undefined> = { REAL: "real" };
  const own = (): unknown => [env.A, env.B, env.REAL];
  loadEnvFiles([one, two], env);
  assert.deepEqual(own(), ["2", "b c", "real"]);
  writeFileSync(two, "A=3\n");
  writeFileSync(one, "");
  loadEnvFiles([one, two], { ...env });
  loadEnvFiles([one, two], env);
  assert.deepEqual(own(), ["3", undefined, "real"]);
  assert.throws(() => loadEnvFiles([join(folder, "none")], env), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: /none: there is no such file/,
  });
});

test("in development .env is read without being named, and otherwise not", (t) => {
  const folder = makeFolder(t);
  assert.deepEqual(envFilesOf(undefined, true, folder), []);
  writeFileSync(join(folder, ".env"), "");
  assert.deepEqual(envFilesOf(undefined, true, folder), [join(folder, ".env")]);
  assert.deepEqual(envFilesOf(undefined, false, folder), []);
  assert.deepEqual(envFilesOf(["x"], true, folder), [join(folder, "x")]);
});

const APP =
  "import os\ndef app(e, sr):\n    sr('200 OK', [])\n    return [repr(sorted((k, v) for k, v in os.environ.items() if k.startswith(('SALLYPORT_', 'OUR_')))).encode()]\n";

for (const more of [[], ["--server-processes", "2"], ["--embedded"]]) {
  test(`a file of variables reaches configuration, options and the app, also after a reload ${more}`, async (t) => {
    const folder = makeFolder(t);
    writeFileSync(join(folder, "vars"), "OUR_COLOUR=blue\nOUR_REAL=file\nSALLYPORT_ACCESS_LOG=access\n");
    writeFileSync(join(folder, "shown.py"), APP);
    const env = { OUR_REAL: "real", SALLYPORT_ACCES_LOG: "-", SALLYPORT_LINT: "" };
    const command = [
      process.execPath,
      BIN,
      "serve",
      "shown:app",
      "--port",
      "0",
      "--env-file",
      "vars",
      ...more,
    ];
    const server = await serveBy(command, { cwd: folder, env });
    t.after(() => server.stop());
    const ask = async () => (await fetch(server.url)).text();
    assert.equal(await ask(), "[('OUR_COLOUR', 'blue'), ('OUR_REAL', 'real')]");
    assert.match(server.stderr, /SALLYPORT_ACCES_LOG means nothing.*did you mean SALLYPORT_ACCESS_LOG/);
    assert.ok(existsSync(join(folder, "access")));
    writeFileSync(join(folder, "vars"), "OUR_COLOUR=red\n");
    process.kill(server.pid, "SIGHUP");
    while (!(await ask()).includes("red")) await new Promise((resolve) => setTimeout(resolve, 50));
    await server.stop();
  });
}

test("check and explain read options, variables and files of variables as serve does", async (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, "pub"));
  writeFileSync(join(folder, "pub", "hello.txt"), "hello");
  writeFileSync(join(folder, "site.yaml"), "apps: { a: { static: '$" + "{OUR_ROOT}' } }\n");
  writeFileSync(join(folder, "vars"), "OUR_ROOT=pub\nSALLYPORT_CONFIG=site.yaml\n");
  const ask = (...args: string[]) =>
    sallyport([...args, "--env-file", "vars"], folder, {
      SALLYPORT_HTTP: "127.0.0.1:9999",
      SALLYPORT_PROCESES: "2",
    });
  const checked = await ask("check");
  assert.equal(checked.code, 0, checked.stderr);
  assert.match(checked.stdout, /listens on http:\/\/127\.0\.0\.1:9999/);
  assert.match(checked.stdout, /warning: .*SALLYPORT_PROCESES.*did you mean SALLYPORT_PROCESSES/);
  const explained = await ask("explain", "/hello.txt", "--json");
  assert.equal(explained.code, 0, explained.stderr);
  assert.match(explained.stdout, /127\.0\.0\.1:9999/);
});

test("the variable of --control names the server for the commands that ask it, too", async (t) => {
  const folder = makeFolder(t);
  const env = { SALLYPORT_CONTROL: join(folder, "socket"), XDG_RUNTIME_DIR: makeFolder(t) };
  const server = await serve([folder], { env });
  t.after(() => server.stop());
  const { code, stdout, stderr } = await sallyport(["status"], folder, env);
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(server.url));
});

test("SALLYPORT_SERVER_PROCESS, misspelt so, is warned of like any other", async (t) => {
  const folder = makeFolder(t);
  for (const value of ["2", "two"]) {
    const { code, stdout, stderr } = await sallyport(["check", "."], folder, {
      SALLYPORT_SERVER_PROCESS: value,
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /SALLYPORT_SERVER_PROCESS means nothing.*did you mean SALLYPORT_SERVER_PROCESSES/);
  }
});

test("PORT and HOST say where to listen where nothing else does", async (t) => {
  const folder = makeFolder(t);
  const command = [process.execPath, BIN, "serve", folder];
  const where = async (args: string[], env: Record<string, string>): Promise<string> => {
    const server = await serveBy([...command, ...args], { env: { SALLYPORT_ACCESS_LOG: "off", ...env } });
    await server.stop();
    return server.url.replace(/:\d+$/, "");
  };
  assert.equal(await where([], { PORT: "0" }), "http://0.0.0.0");
  assert.equal(await where([], { PORT: "0", HOST: "127.0.0.9" }), "http://127.0.0.9");
  assert.equal(await where(["--http", "127.0.0.8:0"], { PORT: "0" }), "http://127.0.0.8");
  writeFileSync(join(folder, "site.yaml"), "listen: ['127.0.0.7:0']\napps: { a: { static: . } }\n");
  command[3] = "--config";
  assert.equal(await where([join(folder, "site.yaml")], { PORT: "0" }), "http://127.0.0.7");
});

for (const more of [[], ["--server-processes", "2"]]) {
  test(`the pid file has the main process while it serves, and refuses a second server ${more}`, async (t) => {
    const folder = makeFolder(t);
    const file = join(folder, "pid");
    writeFileSync(file, "999999999\n");
    const args = [folder, "--pid-file", file, ...more];
    const server = await serve(args);
    t.after(() => server.stop());
    const inFile = () => existsSync(file) && readFileSync(file, "utf8");
    while (inFile() !== `${server.pid}\n`) await new Promise((resolve) => setTimeout(resolve, 20));
    const { code, stderr } = await sallyport(["serve", ...args, "--port", "0"]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`names process ${server.pid}, a server that is running`));
    assert.equal(inFile(), `${server.pid}\n`);
    await server.stop();
    assert.equal(inFile(), false);
  });
}

test("a pid file that cannot be written leaves no draft behind", (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, "pid"));
  assert.throws(() => keepPidFile(join(folder, "pid")), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: /the pid file .* cannot be written/,
  });
  assert.deepEqual(readdirSync(folder), ["pid"]);
});
