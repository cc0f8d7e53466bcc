// What `sallyport status` shows to people.
import type { GatewayStatus } from "../exchange/index.ts";
import type { ServerProcessStatus, ServerStatus } from "./operations.ts";

type Row = readonly string[];

/** Lines of text, with a line break after each; no escape sequences. */
export function statusText(status: ServerStatus, now = Date.now()): string {
  return [heading(status, now), table(serverRows(status.serverProcesses)), table(appRows(status))].join("\n");
}

function heading({ version, pid, startedAt, urls, state, lastReload }: ServerStatus, now: number): string {
  const since = lapse(now - Date.parse(startedAt));
  const lines = [`sallyport ${version} · process ${pid} · ${state} · started ${since} ago`];
  for (const url of urls) lines.push(`  ${url}`);
  if (lastReload) {
    const how = lastReload.ok ? "succeeded" : `failed: ${printable(lastReload.message ?? "")}`;
    lines.push(`last reload ${lapse(now - Date.parse(lastReload.at))} ago ${how}`);
  }
  return `${lines.join("\n")}\n`;
}

const serverRows = (processes: readonly ServerProcessStatus[]): Row[] => [
  ["SERVER PROCESS", "STATE", "AGE", "CPU", "CONNECTIONS", "IN FLIGHT"],
  ...processes.map(({ pid, state, age, cpu, connections, inFlight }) => [
    text(pid),
    state,
    lapse(age),
    share(cpu),
    text(connections),
    text(inFlight),
  ]),
];

/** A row for each process of each app; an app without processes of its own has one row. */
function appRows({ serverProcesses }: ServerStatus): Row[] {
  const rows = serverProcesses.flatMap((server) =>
    Object.entries(server.apps).flatMap(([name, app]) => rowsOf(printable(name), app, text(server.pid))),
  );
  const head = [
    "APP",
    "INTERFACE",
    "RUNTIME",
    "QUEUE",
    "PID",
    "STATE",
    "AGE",
    "CPU",
    "REQUESTS",
    "IN FLIGHT",
    "SERVER",
  ];
  const sorted = rows.sort(([one = ""], [other = ""]) => (one < other ? -1 : one > other ? 1 : 0));
  return rows.length === 0 ? [] : [head, ...sorted];
}

function rowsOf(name: string, app: GatewayStatus, server: string): Row[] {
  const { bounds } = app;
  const shown = bounds && bounds.min !== bounds.max ? `${name} (${bounds.min} to ${bounds.max})` : name;
  const first = [shown, app.interface, app.runtime ?? "-", text(app.waiting)];
  if (app.processes.length === 0) return [[...first, "-", "-", "-", "-", text(app.requests), "-", server]];
  return app.processes.map(({ pid, state, age, cpu, requests, inFlight }) => [
    ...first,
    text(pid),
    state,
    lapse(age),
    share(cpu),
    text(requests),
    text(inFlight),
    server,
  ]);
}

const text = (value: number | undefined): string => (value === undefined ? "-" : String(value));

const share = (percent: number | undefined): string => (percent === undefined ? "-" : `${percent} %`);

export const printable = (value: string): string => value.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** The two largest units: "2 h 5 min". */
export function lapse(milliseconds: number): string {
  let left = Math.max(0, Math.floor(milliseconds / 1_000));
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(left / seconds);
    left -= count * seconds;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** Numbers stand at the right. */
function table(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => aligned(cell, widths[i] ?? 0, rows, i))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function aligned(cell: string, width: number, rows: readonly Row[], column: number): string {
  const isNumber = rows.slice(1).every((row) => /^(\d+( %)?|-)$/.test(row[column] ?? ""));
  return isNumber ? cell.padStart(width) : cell.padEnd(width);
}
