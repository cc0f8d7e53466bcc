// Starts the page: which request is sent, through which door, and what is shown of it. Every door gets the same request; what
// was recorded of it is kept until the request changes.
import { behind } from "./behind.js";
import { crossed } from "./crossed.js";
import { h } from "./dom.js";
import { doorTabs } from "./doors.js";
import { halves } from "./halves.js";
import { questions } from "./questions.js";
import { race } from "./race.js";
import { askJson, send } from "./recordings.js";
import { requestForm } from "./request.js";
import { cameBack } from "./response.js";
import { theWay } from "./way.js";

const BEHIND = "both";
const element = (id) => document.getElementById(id);

/** What the server said of itself; by door what was recorded of it; the door that is shown, and the one beside it. */
const state = { doors: [], machine: {}, recorded: new Map(), chosen: undefined, beside: undefined };
let tabs;
let form;

function notice(text, isBad = false) {
  element("notice").textContent = text;
  element("notice").classList.toggle("bad", isBad);
}

const doorOf = (id) => state.doors.find((door) => door.id === id);

/** A process that stays pays for its start once: its first request is followed by the one that is shown. */
async function sendTwice({ path, wall }, request) {
  const first = await send(path, request);
  if (wall === "process" || first.process?.answered !== 1 || first.browser.status >= 500) return first;
  return { ...(await send(path, request)), first: first.duration };
}

/** The same request through door `id`, unless it is recorded already. */
async function recordingOf(id) {
  const kept = state.recorded.get(id);
  if (kept) return kept;
  const request = form.request();
  const found = await sendTwice(doorOf(id), request);
  if (request.key === form.request().key) state.recorded.set(id, found);
  return found;
}

/** Shows door `id`; `fresh`: sends the request again. Resolves when it is drawn. */
async function open(id, { fresh = false } = {}) {
  state.chosen = id;
  tabs.choose(id);
  notice("");
  if (id === BEHIND) return show(behind(state, notice));
  const door = doorOf(id);
  form.setDoor(door);
  forgetOthers(form.request().key);
  if (!door.available) return show([missing(door)]);
  if (fresh) state.recorded.delete(id);
  element("panel").setAttribute("aria-busy", "true");
  try {
    const view = await recordingOf(id);
    const other = state.beside && state.beside !== id ? doorOf(state.beside) : undefined;
    const beside = other && { door: other, view: await recordingOf(other.id) };
    if (state.chosen !== id) return;
    tabs.note(state.recorded);
    show(panels(door, view, beside));
    if (view.browser.status >= 400)
      notice(`${door.name} answered ${view.browser.status}: see "What came back".`, true);
  } catch (error) {
    if (state.chosen !== id) return;
    show([h("p", { class: "card bad" }, `${door.name}: ${error.message}`)]);
    notice(error.message, true);
  }
}

/** What is kept is of the request that the form has. */
function forgetOthers(key) {
  if (state.key !== key) state.recorded.clear();
  state.key = key;
  tabs.note(state.recorded);
}

function show(children) {
  element("panel").replaceChildren(...children);
  element("panel").removeAttribute("aria-busy");
}

const missing = ({ name, why }) =>
  h("div", { class: "card" }, h("h2", {}, `${name} is not here`), h("p", {}, why ?? "It cannot be shown."));

function panels(door, view, beside) {
  const compare = { doors: state.doors, chosen: state.beside, choose: (id) => compareWith(id) };
  return [
    theWay(door, view, { recorded: state.recorded, doors: state.doors }),
    crossed(door, view, beside, compare),
    cameBack(door, view),
    halves(door),
  ];
}

async function compareWith(id) {
  state.beside = id || undefined;
  await open(state.chosen);
  element("compare-with")?.focus();
}

/** 1 to 0 are the first ten doors, wherever no text is being written. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || element("code").open) return;
  if (event.target.closest?.("input, textarea, select")) return;
  const id = tabs.ids["1234567890".indexOf(event.key)];
  if (id === undefined || !/^\d$/.test(event.key)) return;
  event.preventDefault();
  void open(id);
}

async function start() {
  const { doors, machine } = await askJson("GET", "/demo/doors");
  Object.assign(state, { doors, machine });
  form = requestForm(element("request"), () => {
    const door = doorOf(state.chosen);
    void open(door?.available ? door.id : doors.find(({ available }) => available).id, { fresh: true });
  });
  tabs = doorTabs(element("doors"), doors, BEHIND, (id) => void open(id));
  race(element("race"), state, notice);
  questions(element("questions"), open);
  const { node, python, php, nginx, system } = machine;
  const parts = { Node: node, CPython: python, PHP: php, nginx };
  const versions = Object.entries(parts).flatMap(([name, version]) => (version ? `${name} ${version}` : []));
  element("machine").textContent =
    `All figures are this machine's, now: ${[system, ...versions].filter(Boolean).join(" · ")}.`;
  addEventListener("keydown", onKey);
  await open(location.hash === `#${BEHIND}` ? BEHIND : doors.find(({ available }) => available).id);
}

start().catch((error) => notice(`The demonstration does not answer: ${error.message}`, true));
