// The way that one request walks through the server, counted and held: calls and files of ours, and crossings into Node's
// natives. What grows here costs every request; what shrinks may be written down.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const COUNT = fileURLToPath(new URL("count.mjs", import.meta.url));
const APPS = fileURLToPath(new URL("../../bench/apps", import.meta.url));

const ATTEMPTS = 3;

interface Counted {
  readonly calls: number;
  readonly files: number;
  readonly objects: number;
  readonly latin1Write: number;
  readonly buffers: number;
  readonly regularExpressions: number;
  readonly clocks: number;
  /** Each function with its file and how often it is called. */
  readonly passed: readonly string[];
}

function counted(app: object, headers: readonly string[], settings: object = {}): Counted {
  const config = {
    listen: ["127.0.0.1:0"],
    apps: { app: { ...app, chdir: APPS } },
    log: { level: "error", access: "off" },
    ...settings,
  };
  const args = [COUNT, JSON.stringify(config), "Host: localhost", ...headers];
  // The contract is not checked here: it would be counted, too.
  const env = { ...process.env, SALLYPORT_LINT: "" };
  return JSON.parse(
    execFileSync(process.execPath, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }),
  );
}

const BROWSER = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Encoding: gzip, deflate, br",
  "Accept-Language: en-GB,en;q=0.9",
  "Cache-Control: max-age=0",
  "Connection: keep-alive",
  "Cookie: session=0123456789abcdef; theme=dark",
  "Sec-Fetch-Mode: navigate",
  "Upgrade-Insecure-Requests: 1",
];

type Limits = Readonly<Record<Exclude<keyof Counted, "passed">, number>>;

const DAEMON: Limits = {
  calls: 110,
  files: 29,
  objects: 6,
  latin1Write: 0,
  buffers: 3,
  regularExpressions: 6,
  clocks: 2,
};

const WAYS: [name: string, app: object, limits: Limits][] = [
  ["WSGI, daemon mode", { wsgi: "hello:app" }, DAEMON],
  ["ASGI", { asgi: "asgi_hello:app" }, { ...DAEMON, calls: 118, files: 30 }],
  [
    "WSGI, embedded",
    { wsgi: "hello:app", mode: "embedded" },
    { ...DAEMON, calls: 120, latin1Write: 3, clocks: 4 },
  ],
];

type Count = Omit<Counted, "passed">;

/** What is above the limits. Timers of the server's own run now and then. */
const over = (limits: Partial<Limits>, counts: Count): [keyof Limits, number][] =>
  (Object.keys(limits) as (keyof Limits)[])
    .map((what): [keyof Limits, number] => [what, counts[what]])
    .filter(([what, count]) => count > (limits[what] as number) + 0.1);

/** Counts again where that was too much: on a busy machine a request takes so long that timers run with each. */
function countedWithin(limits: Partial<Limits>, count: () => Counted): Counted {
  for (let attempt = 1; ; attempt++) {
    const found = count();
    if (attempt === ATTEMPTS || over(limits, found).length === 0) return found;
  }
}

for (const [name, app, limits] of WAYS)
  for (const [kind, headers] of [
    ["a request", []],
    ["a browser's request", BROWSER],
  ] as const)
    test(`${name}: ${kind} is no longer way than it was`, () => {
      const { passed, ...counts } = countedWithin(limits, () => counted(app, headers));
      for (const [what, count] of over(limits, counts))
        assert.fail(`${count} ${what}, at most ${limits[what]}:\n${passed.join("\n")}`);
      assert.ok(counts.calls > 20, "the counting works");
    });

// What is asked for costs little more. Both are counted in one environment, so that only the difference is held.
const MORE: [name: string, settings: object, more: Partial<Limits>][] = [
  [
    "access log on",
    { log: { level: "error", access: "/dev/null" } },
    { calls: 10, objects: 0, latin1Write: 0, regularExpressions: 2, clocks: 2 },
  ],
  [
    "proxies trusted",
    { trust: ["127.0.0.1"] },
    { calls: 5, objects: 0, latin1Write: 0, regularExpressions: 0, clocks: 0 },
  ],
];

for (const [name, settings, more] of MORE)
  test(`WSGI, ${name}: a request takes no more steps beyond those without it than it did`, () => {
    const headers = [...BROWSER, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"];
    const without = counted({ wsgi: "hello:app" }, headers);
    const added = (): Counted => {
      const found = counted({ wsgi: "hello:app" }, headers, settings);
      const names = Object.keys(more) as (keyof Limits)[];
      return { ...found, ...Object.fromEntries(names.map((what) => [what, found[what] - without[what]])) };
    };
    const { passed, ...counts } = countedWithin(more, added);
    for (const [what, count] of over(more, counts))
      assert.fail(`${count} more ${what}, at most ${more[what]}:\n${passed.join("\n")}`);
    assert.ok(counts.calls > 0, "the counting works");
  });
