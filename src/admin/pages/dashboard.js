// The dashboard: draws each message of the live data, and what has changed since the ones before it.
import { ask } from "./api.js";
import { durationChart, quantile, rateChart, SECONDS } from "./charts.js";
import { age, bytes, CLASSES, clock, colour, h, milliseconds, number, table } from "./dom.js";
import { makeLog, readLog } from "./log.js";
import { makeRequests, showRequests } from "./requests.js";

/** Messages that are kept: those of two minutes. */
const history = [];
const rows = new Map();
const happened = [];
let parts;
let tell;

/** `notice(text, isBad)` tells people what became of a click. */
export function makeDashboard(root, notice) {
  tell = notice;
  const key = CLASSES.map((name) => [h("span", { class: `key ${colour(name)}` }), name]);
  parts = {
    tiles: h("dl", { class: "tiles" }),
    rate: h("figure"),
    duration: h("figure"),
    apps: table(
      "Apps",
      [
        "app",
        "interface",
        "#requests/s",
        "#median",
        "#99 %",
        "#2xx",
        "#3xx",
        "#4xx",
        "#5xx",
        "#cut",
        "#waiting",
        "#in flight",
        "",
      ],
      [],
    ),
    processes: table(
      "Processes",
      ["process", "generation", "state", "#age", "#CPU", "#memory", "#requests", "#in flight"],
      [],
    ),
    events: h("ol", { class: "pieces", reversed: true }),
    reloads: h("span", { class: "dim" }),
  };
  root.replaceChildren(
    h("h2", {}, "Now"),
    parts.tiles,
    h("div", { class: "columns" }, [
      h("section", {}, h("h2", {}, "Requests a second"), parts.rate, h("p", { class: "dim" }, key)),
      h("section", {}, h("h2", {}, "How long they took, last minute"), parts.duration),
    ]),
    h("h2", {}, "Apps, last minute"),
    parts.apps,
    h("h2", {}, "Processes"),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", id: "reload", click: reload }, "Reload the configuration"),
      parts.reloads,
    ),
    parts.processes,
    ...makeRequests(),
    ...makeLog(),
    h("h2", {}, "What happened while this page was open"),
    parts.events,
  );
}

export function showLive(data) {
  note(history.at(-1), data);
  history.push(data);
  if (history.length > SECONDS + 1) history.shift();
  const minute = history.at(-61) ?? history[0];
  showTiles(data, minute);
  parts.rate.replaceChildren(rateChart(rates()));
  const durations = difference(sumOf(data, "durations"), sumOf(minute, "durations"));
  parts.duration.replaceChildren(durationChart(durations, data.bounds));
  showApps(data, minute);
  parts.processes.body.replaceChildren(...processRows(data));
  showRequests(data);
  void readLog();
  const { reloads, lastReload } = data.status;
  parts.reloads.textContent = lastReload
    ? `last reload ${clock(lastReload.at)}: ${lastReload.ok ? "done" : `failed: ${lastReload.message}`} (${reloads.ok} done, ${reloads.failed} failed)`
    : "no reload yet";
}

const seconds = (one, other) => Math.max(0.5, (one.at - other.at) / 1000);
const difference = (one, other) => one.map((count, i) => Math.max(0, count - (other[i] ?? 0)));

/** Of all apps, slot by slot. */
function sumOf({ apps, bounds }, key) {
  const sums = new Array(bounds.length + 1).fill(0);
  for (const app of Object.values(apps)) for (const [i, count] of app[key].entries()) sums[i] += count;
  return sums;
}

const statusSum = ({ apps }, name) =>
  Object.values(apps).reduce((sum, { statuses }) => sum + statuses[name], 0);

const rates = () =>
  history.slice(1).map((data, i) => {
    const before = history[i];
    const time = seconds(data, before);
    return Object.fromEntries(
      CLASSES.map((name) => [name, Math.max(0, statusSum(data, name) - statusSum(before, name)) / time]),
    );
  });

function showTiles(data, minute) {
  const before = history.at(-2) ?? data;
  const last = rates().at(-1) ?? {};
  const durations = difference(sumOf(data, "durations"), sumOf(minute, "durations"));
  const { serverProcesses } = data.status;
  const sum = (key) => serverProcesses.reduce((total, each) => total + (each[key] ?? 0), 0);
  const waiting = serverProcesses
    .flatMap(({ apps }) => Object.values(apps))
    .reduce((total, each) => total + each.waiting, 0);
  const memory = Object.values(data.memory).reduce((total, each) => total + each, 0);
  const tiles = [
    [
      "requests a second",
      Object.values(last)
        .reduce((total, each) => total + each, 0)
        .toFixed(0),
    ],
    ["median", milliseconds(quantile(durations, data.bounds, 0.5))],
    ["99 % within", milliseconds(quantile(durations, data.bounds, 0.99))],
    ["in flight", data.requests.total],
    ["waiting", waiting],
    ["connections", sum("connections")],
    ["sent a second", bytes(Math.max(0, Math.round((data.sent - before.sent) / seconds(data, before))))],
    ["memory", memory === 0 ? "-" : bytes(memory)],
  ];
  parts.tiles.replaceChildren(
    ...tiles.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, `${value}`))),
  );
}

/** A row keeps its button, so that the focus stays on it. */
function showApps(data, minute) {
  const names = [
    ...new Set([
      ...Object.keys(data.apps),
      ...data.status.serverProcesses.flatMap(({ apps }) => Object.keys(apps)),
    ]),
  ].sort();
  for (const [name, { row }] of rows)
    if (!names.includes(name)) {
      row.remove();
      rows.delete(name);
    }
  for (const name of names) {
    if (!rows.has(name)) rows.set(name, appRow(name));
    const { row, fields } = rows.get(name);
    if (!row.isConnected) parts.apps.body.append(row);
    for (const [i, text] of appTexts(name, data, minute).entries()) fields[i].textContent = text;
  }
}

function appRow(name) {
  const fields = Array.from({ length: 11 }, (_, i) => h("td", { class: i === 0 ? false : "n" }));
  const button = h(
    "button",
    {
      type: "button",
      click: () => act(`app ${name} was restarted`, `apps/${encodeURIComponent(name)}/restart`, button),
    },
    `Restart ${name}`,
  );
  const last = h("td", {}, name === "-" ? "" : button);
  return { row: h("tr", {}, h("td", {}, name === "-" ? "(no app)" : name), fields, last), fields };
}

function appTexts(name, data, minute) {
  const none = { statuses: {}, durations: [], cut: 0 };
  const now = data.apps[name] ?? none;
  const before = minute.apps[name] ?? none;
  const count = (status) => Math.max(0, (now.statuses[status] ?? 0) - (before.statuses[status] ?? 0));
  const durations = difference(now.durations, before.durations);
  const gateways = data.status.serverProcesses.flatMap(({ apps }) => apps[name] ?? []);
  return [
    gateways[0]?.interface ?? "-",
    (CLASSES.reduce((sum, status) => sum + count(status), 0) / seconds(data, minute)).toFixed(1),
    milliseconds(quantile(durations, data.bounds, 0.5)),
    milliseconds(quantile(durations, data.bounds, 0.99)),
    count("2xx"),
    count("3xx"),
    count("4xx"),
    count("5xx"),
    Math.max(0, now.cut - before.cut),
    gateways.reduce((sum, { waiting }) => sum + waiting, 0),
    data.requests.requests.filter(({ app }) => app === name).length,
  ];
}

function processRows({ status, memory }) {
  const row = (depth, name, { pid, state, age: old, cpu, requests, inFlight, generation }, newest) =>
    h(
      "tr",
      {},
      h("td", { class: ["", "deep", "deeper"][depth] }, `${name} ${pid ?? ""}`),
      h("td", {}, generationText(generation, state, newest)),
      h("td", {}, state),
      number(age(old)),
      number(cpu === undefined ? "-" : `${cpu} %`),
      number(bytes(memory[pid])),
      number(requests ?? "-"),
      number(inFlight ?? "-"),
    );
  const isAlone = status.serverProcesses.length === 1 && status.serverProcesses[0].pid === status.pid;
  const { pid, state, cpu } = status;
  const old = Date.now() - Date.parse(status.startedAt);
  const main = isAlone ? [] : [row(0, "supervisor", { pid, state, cpu, age: old })];
  const depth = isAlone ? 0 : 1;
  const newest = newestOf(status.serverProcesses);
  const below = status.serverProcesses.flatMap((server) => [
    row(depth, "server process", server, newest),
    ...Object.entries(server.apps).flatMap(([app, { interface: named, processes }]) =>
      processes.map((process) => row(depth + 1, `${app} (${named})`, process, newestOf(processes))),
    ),
  ]);
  return [...main, ...below];
}

const newestOf = (processes) => Math.max(...processes.map(({ generation = 0 }) => generation));

/** During a reload: which processes are those that go, and which those that come. */
function generationText(generation, state, newest) {
  if (newest === undefined) return "";
  const isOld = generation === undefined ? state === "draining" : generation < newest;
  const which = generation === undefined ? "" : `${generation}`;
  return isOld ? [which, " ", h("b", {}, "old")] : which;
}

/** Processes that came and went, reloads, changes of the state. */
function note(before, { at, status }) {
  if (!before) return;
  const pids = ({ serverProcesses }) =>
    new Map(
      serverProcesses.flatMap((server) => [
        [server.pid, `server process ${server.pid}`],
        ...Object.entries(server.apps).flatMap(([app, { processes }]) =>
          processes.map(({ pid }) => [pid, `process ${pid} of ${app}`]),
        ),
      ]),
    );
  const [then, now] = [pids(before.status), pids(status)];
  for (const [pid, name] of now) if (!then.has(pid)) happen(at, `${name} has started`);
  for (const [pid, name] of then) if (!now.has(pid)) happen(at, `${name} has ended`);
  if (before.status.state !== status.state) happen(at, `the server is ${status.state}`);
  const reload = status.lastReload;
  if (reload && before.status.lastReload?.at !== reload.at)
    happen(at, reload.ok ? "the configuration was reloaded" : `the reload failed: ${reload.message}`);
}

function happen(at, text) {
  happened.unshift([at, text]);
  happened.length = Math.min(happened.length, 50);
  parts.events.replaceChildren(...happened.map(([when, what]) => h("li", {}, `${clock(when)} ${what}`)));
}

const reload = (event) => act("the configuration was reloaded", "reload", event.currentTarget);

async function act(done, path, button) {
  button.disabled = true;
  try {
    await ask("POST", path);
    tell(done);
  } catch (error) {
    tell(error.message, true);
  } finally {
    button.disabled = false;
    button.focus();
  }
}
