// node bench/stack.mjs NAME PORT: several processes that answer on one port, an application and a server in front of it,
// for contenders that are more than one program. Ends when one of them ends, or with its process group.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("stacks", import.meta.url));
const APPS = fileURLToPath(new URL("apps", import.meta.url));
const MODULES = "/usr/lib/apache2/modules";
const SALLYPORT = [process.execPath, fileURLToPath(new URL("../bin/sallyport.js", import.meta.url)), "serve"];
const QUIET = ["--access-log", "off", "--log-level", "error"];
const START_DEADLINE = 10_000;

const [, , name, port] = process.argv;
const folder = mkdtempSync(join(tmpdir(), "sallyport-stack-"));
const socket = join(folder, "app.sock");

/** A file of stacks/ with everything in its place, in our folder. */
function configuration(file, places = {}) {
  let text = readFileSync(join(HERE, file), "utf8");
  for (const [from, to] of Object.entries({
    ...places,
    FOLDER: folder,
    PUBLIC: join(HERE, "public"),
    PORT: port,
  }))
    text = text.replaceAll(from, to);
  const path = join(folder, file);
  writeFileSync(path, text);
  return path;
}

/** Debian names it by its version. */
const fpm = () => {
  const program = readdirSync("/usr/sbin").find((file) => file.startsWith("php-fpm")) ?? "php-fpm";
  const asRoot = process.getuid() === 0 ? ["-R"] : [];
  return [program, ...asRoot, "-y", configuration("php-fpm.conf")];
};

const nginx = (pass, kept) => [
  "nginx",
  "-p",
  folder,
  "-c",
  configuration("nginx.conf", { PASS: configuration(pass), KEPT: kept }),
];

function sallyportPhp() {
  const config = join(folder, "sallyport.config.json");
  const apps = { site: { php: join(HERE, "public"), fastcgi: `unix:${socket}`, connections: 4 } };
  writeFileSync(config, JSON.stringify({ listen: [`127.0.0.1:${port}`], apps }));
  return [...SALLYPORT, "--config", config, ...QUIET];
}

const apache = () => ["apache2", "-DFOREGROUND", "-f", configuration("mod_wsgi.conf", { APPS, MODULES })];

/** The application, which listens at `socket`, and the server in front of it; or a server that is both. */
const STACKS = {
  "php-sallyport": () => [fpm(), sallyportPhp()],
  "php-nginx": () => [fpm(), nginx("php.conf", 4)],
  "php-nginx-kept": () => [fpm(), nginx("php-kept.conf", 4)],
  "node-fastcgi": () => [
    [...SALLYPORT, join(HERE, "hello.mjs"), "--fastcgi", `unix:${socket}`, ...QUIET],
    nginx("fastcgi.conf", 32),
  ],
  "node-http": () => [[process.execPath, join(HERE, "hello.mjs"), socket], nginx("proxy.conf", 32)],
  "mod-wsgi": () => [apache()],
};

function run([program, ...args]) {
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  child.once("error", end).once("exit", end);
  return child;
}

const running = [];

function end() {
  for (const child of running) child.kill();
  rmSync(folder, { recursive: true, force: true });
  process.exit();
}

process.on("SIGTERM", end);
const [application, server] = STACKS[name]();
running.push(run(application));
if (server) {
  for (const deadline = Date.now() + START_DEADLINE; !existsSync(socket) && Date.now() < deadline; )
    await sleep(20);
  running.push(run(server));
}
