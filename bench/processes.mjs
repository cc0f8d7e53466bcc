// What the kernel says of a server's processes: the processor time they used, the memory they hold.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** USER_HZ: the unit of times in /proc, on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

/** Microseconds of /proc/PID/stat: used by the process itself, and by its children that have ended and were waited for. */
export function parseStat(text) {
  // The second field is the program's name in brackets, and may hold brackets and spaces itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const micros = (from) => ((Number(fields[from]) + Number(fields[from + 1])) / TICKS_A_SECOND) * 1e6;
  return { own: micros(11), ended: micros(13) };
}

/** Bytes of /proc/PID/smaps_rollup: each page that several processes share counts as its share. */
export const parseRollup = (text) => Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;

/** Which part of a server a program is: what talks to the clients, or what runs the application. */
export const part = (program) => (/^(python|php-fpm|php-cgi)/.test(program) ? "worker" : "server");

/** Every process of the tree, the root first: `{ pid, part }`. With `launcher` the root is only who started the others. */
export function tree(root, launcher = false) {
  const all = [root];
  for (const pid of all) all.push(...children(pid));
  return all.slice(launcher ? 1 : 0).map((pid) => ({ pid, part: part(program(pid)) }));
}

/** Processor time of all processes so far in microseconds: `{ server, worker, all }`. */
export function processorTime(processes) {
  const sum = { server: 0, worker: 0, all: 0 };
  for (const { pid, part } of processes) {
    const { own, ended } = parseStat(read(pid, "stat") ?? "");
    if (Number.isNaN(own)) continue;
    sum[part] += own;
    sum.all += own + ended;
  }
  return sum;
}

/** Memory of all processes in bytes: `{ server, worker, all }`. */
export function memoryHeld(processes) {
  const sum = { server: 0, worker: 0, all: 0 };
  for (const { pid, part } of processes) {
    const bytes = parseRollup(read(pid, "smaps_rollup") ?? "");
    sum[part] += bytes;
    sum.all += bytes;
  }
  return sum;
}

/** A process may end while it is looked at; then there is nothing to read. */
function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}

function children(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      (read(pid, `task/${task}/children`) ?? "").trim().split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function program(pid) {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return "";
  }
}
