// The race: the same load at each door in turn. Bars grow while it runs; every figure is this machine's, now.
import { bytes, h, milliseconds } from "./dom.js";
import { ask } from "./recordings.js";

const KINDS = {
  hello: {
    title: "Ask every door 500 times",
    about: "500 requests at each door, over 8 connections: what does one request cost?",
  },
  wait: {
    title: "200 clients who wait one second",
    about:
      "200 clients at once, each of whom wants an answer that takes a second of waiting (for a database, say). A door gets 10 seconds. Which can do many things while nothing happens?",
  },
};

/** Draws the section into `root`; `notice(text, isBad)` tells what went wrong. */
export function race(root, { doors }, notice) {
  const rows = new Map(doors.map((door) => [door.id, rowOf(door)]));
  const about = h(
    "p",
    { class: "dim" },
    "The load comes from a process of its own. It takes about half a minute.",
  );
  const said = h("p", { role: "status", class: "said" });
  let running;
  const buttons = Object.entries(KINDS).map(([kind, { title }]) =>
    h("button", { type: "button", class: "main", "data-kind": kind, click: () => run(kind) }, title),
  );
  const stop = h("button", { type: "button", disabled: true, click: () => running?.abort() }, "Stop");

  async function run(kind) {
    running = new AbortController();
    setRunning(true);
    about.textContent = KINDS[kind].about;
    said.textContent = "The race begins.";
    for (const row of rows.values()) row.reset();
    const board = new Board(rows, said);
    try {
      const response = await ask("POST", "/demo/race", { kind }, running.signal);
      await readEvents(response.body, (event, data) => board[event]?.(data));
      said.textContent = "The race is over.";
    } catch (error) {
      const isStopped = running.signal.aborted;
      said.textContent = isStopped ? "Stopped." : "";
      if (!isStopped) notice(`The race did not run: ${error.message}`, true);
      if (!isStopped) said.textContent = error.message;
    }
    setRunning(false);
  }

  function setRunning(isRunning) {
    for (const button of buttons) button.disabled = isRunning;
    stop.disabled = !isRunning;
  }

  root.replaceChildren(
    h("h2", { id: "race-title" }, "The race"),
    h("p", {}, "The same load at each door, one after the other, on this machine, now."),
    h("div", { class: "row" }, buttons, stop),
    about,
    said,
    h(
      "ol",
      { class: "lanes", "aria-label": "Doors in the race" },
      [...rows.values()].map(({ element }) => element),
    ),
  );
}

/** A door's line: name, bar, figure, details, and the reason. */
function rowOf({ id, name, wall, reason, available, why }) {
  const bar = h("i", { class: `bar-${wall}`, "aria-hidden": "true" });
  const figure = h("b", { class: "figure" }, available ? "" : "not here");
  const details = h("span", { class: "dim details" }, available ? "" : (why ?? ""));
  const element = h(
    "li",
    { "data-door": id },
    h("span", { class: "name" }, name),
    h("span", { class: "track" }, bar),
    figure,
    h("span", { class: "reason" }, reason, details),
  );
  return {
    element,
    reset() {
      if (!available) return;
      element.classList.remove("now", "cut");
      bar.style.inlineSize = "0";
      this.rate = 0;
      figure.textContent = "";
      details.textContent = "";
    },
    show({ rate, text, more, isNow, isCut }) {
      element.classList.toggle("now", isNow);
      element.classList.toggle("cut", isCut === true);
      this.rate = rate;
      figure.textContent = text;
      details.textContent = more;
    },
    grow(most) {
      bar.style.inlineSize = `${most > 0 ? Math.max(0.4, (this.rate / most) * 100) : 0}%`;
    },
  };
}

const rateText = (rate) =>
  `${rate >= 100 ? Math.round(rate).toLocaleString("en") : rate.toFixed(1)} requests/s`;

/** Follows the events of one race. */
class Board {
  #most = 0;

  constructor(rows, said) {
    Object.assign(this, { rows, said });
  }

  door({ id }) {
    this.#set(id, { rate: 0, text: "…", more: "", isNow: true });
    this.said.textContent = `Now ${this.rows.get(id)?.element.querySelector(".name").textContent}.`;
  }

  sample({ id, done, of, rate }) {
    this.#set(id, { rate, text: rateText(rate), more: `${done} of ${of} answered`, isNow: true });
  }

  result({ id, rate, p50, p99, failed, started, memory, seconds, cut, done, of }) {
    const answered = cut
      ? `only ${done ?? "some"} of ${of ?? "them"} answered in ${seconds.toFixed(0)} s`
      : `all answered in ${seconds.toFixed(1)} s`;
    const more = [
      answered,
      `median ${milliseconds(p50)}, 99 % within ${milliseconds(p99)}`,
      `${started} ${started === 1 ? "process" : "processes"} started`,
      ...(memory ? [`${bytes(memory)} of memory`] : []),
      ...(failed > 0 ? [`${failed} failed`] : []),
    ];
    this.#set(id, { rate, text: rateText(rate), more: more.join(" · "), isNow: false, isCut: cut });
  }

  failed({ message }) {
    throw new Error(message);
  }

  skipped({ id, why }) {
    this.#set(id, { rate: 0, text: "not here", more: why, isNow: false });
  }

  /** All bars are on the scale of the quickest door so far. */
  #set(id, shown) {
    const row = this.rows.get(id);
    if (!row) return;
    row.show(shown);
    this.#most = Math.max(this.#most, shown.rate);
    for (const each of this.rows.values()) if (each.rate > 0) each.grow(this.#most);
  }
}

/** Server-sent events of a response to POST, for which EventSource is not made. */
async function readEvents(body, take) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const messages = (text + value).split("\n\n");
    text = messages.pop();
    for (const message of messages) {
      const event = /^event: ?(.*)$/m.exec(message)?.[1] ?? "message";
      const data = /^data: ?(.*)$/m.exec(message)?.[1];
      if (data) take(event, JSON.parse(data));
    }
  }
}
