// wrk: how it is called for a piece of work, and what it says afterwards.
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("post.lua", import.meta.url));

/** One thread, so that it is the same load on every machine and leaves the servers the rest of the processors. */
export function wrkArguments(url, { path = "/", upload = 0 }, connections, seconds) {
  const script = upload > 0 ? ["-s", SCRIPT] : [];
  const size = upload > 0 ? ["--", String(upload)] : [];
  return [
    ...["-t1", `-c${connections}`, `-d${seconds}`, "--latency", "--timeout", "10s"],
    ...[...script, `${url}${path}`, ...size],
  ];
}

/**
 * `{ requests, rate, p50, p99, failures }`: times in milliseconds; failures are answers that were not 2xx or 3xx, and
 * connections that failed.
 */
export function parseWrk(text) {
  return {
    requests: Number(/(\d+) requests in /.exec(text)?.[1] ?? 0),
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p50: milliseconds(/^\s+50%\s+(\S+)\s*$/m.exec(text)?.[1]),
    p99: milliseconds(/^\s+99%\s+(\S+)\s*$/m.exec(text)?.[1]),
    failures: failures(text),
  };
}

function failures(text) {
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const errors = /Socket errors: (.*)/.exec(text)?.[1].match(/\d+/g) ?? [];
  return errors.reduce((sum, count) => sum + Number(count), refused);
}

const UNITS = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function milliseconds(text = "") {
  const [, number, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * UNITS[unit];
}
