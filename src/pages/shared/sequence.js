// The drawing of one request on its way: browser, listener, queue, the wall that the interface is, application, and back.
// Time goes down, true to scale; each section has its figure. Drawn from measured moments only.
import { h, milliseconds, svg } from "./dom.js";

const WALLS = {
  cgi: "a new process",
  fastcgi: "a socket",
  scgi: "a socket",
  uwsgi: "a socket",
  wsgi: "a socket to its process",
  asgi: "a socket to its process",
  fetch: "a function call",
  node: "a function call",
};

/** Embedded Python is called in the server's own process. */
function wallOf({ interface: named, pid }) {
  if ((named === "wsgi" || named === "asgi") && pid === undefined) return "a function call";
  return WALLS[named];
}

/** The parts of the way that took time, in order, in milliseconds from the beginning. */
export function sectionsOf({ steps, duration }) {
  const { queued, handedOver, head, ended = duration } = steps;
  const marks = [
    ["listener", "in the server, until the application was asked", 0],
    ["queue", "in the queue, until the application had room", queued],
    ["application", "in the application, until the response began", handedOver],
    ["writing", "writing the response, until its end", head],
  ].filter(([, , from]) => from !== undefined);
  return marks.map(([name, meaning, from], i) => ({ name, meaning, from, to: marks[i + 1]?.[2] ?? ended }));
}

/** The drawing, and the same as a list for those who do not see it. It follows the width of its place. */
export function sequence(view) {
  const place = h("div");
  const root = h("div", { class: "sequence" }, place, listOf(view));
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.round(contentRect.width) === width) return;
    width = Math.round(contentRect.width);
    if (width > 0) place.replaceChildren(draw(view, width));
  }).observe(place);
  return root;
}

function listOf(view) {
  const total = view.duration || 1;
  const items = sectionsOf(view).map(({ name, meaning, from, to }) =>
    h(
      "li",
      {},
      h("b", {}, name),
      ` ${milliseconds(to - from)} (${Math.round(((to - from) / total) * 100)} %): ${meaning}`,
    ),
  );
  return h("ol", { class: "pieces sections" }, items);
}

const [TOP, LENGTH, LABEL] = [64, 300, 17];

function draw(view, width) {
  const total = Math.max(view.duration, 0.001);
  const y = (at) => TOP + (Math.min(at, total) / total) * LENGTH;
  const sections = sectionsOf(view);
  const x = columns(view, sections, width);
  const last = y(total);
  const title = `${view.method} ${view.target} crosses the gateway in ${milliseconds(view.duration)}`;
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${TOP + LENGTH + 40}`, role: "img", "aria-label": title },
    lives(x, last),
    sections.flatMap((section, i) => bar(section, x, y, i)),
    labels(sections, x, y, width),
    arrows(view, x, y),
    x.wall ? svg("line", { class: "wall", x1: x.wall.at, x2: x.wall.at, y1: 44, y2: last + 10 }) : [],
  );
}

/** Where each participant stands. The queue and the wall are there only if the request met them. */
function columns(view, sections, width) {
  const wall = wallOf(view);
  const [server] = view.id.split("-");
  const found = [
    ["browser", view.replayOf ? "replay" : "browser", view.request.remote],
    ["listener", "listener", server],
  ];
  if (sections.some(({ name }) => name === "queue")) found.push(["queue", "queue", ""]);
  if (wall) {
    found.push(["wall", "", wall]);
    const inside = wall === "a function call";
    found.push(["application", view.app, inside ? `in ${server}` : `${view.pid ?? "elsewhere"}`]);
  }
  const space = (width - 130) / (found.length - 1 || 1);
  return Object.fromEntries(found.map(([key, name, below], i) => [key, { at: 42 + i * space, name, below }]));
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function lives(x, last) {
  return Object.entries(x)
    .flatMap(([key, { at, name, below }]) => [
      svg("text", { x: at, y: 16, "text-anchor": "middle", "font-weight": "600" }, short(name, 11)),
      svg(
        "text",
        { x: at, y: key === "wall" ? 38 : 32, "text-anchor": "middle", class: "dim" },
        short(below, key === "wall" ? 24 : 11),
      ),
      key === "wall" ? [] : svg("line", { class: "life", x1: at, x2: at, y1: 42, y2: last + 10 }),
    ])
    .flat();
}

/** Who works in a section. */
const WHERE = { listener: "listener", queue: "queue", application: "application", writing: "listener" };

function bar({ name, from, to }, x, y) {
  const { at } = x[WHERE[name]] ?? x.listener;
  return svg("rect", {
    class: `s-${name}`,
    "data-section": name,
    x: at - 6,
    y: y(from),
    width: 12,
    height: Math.max(1, y(to) - y(from)),
  });
}

/** At the right, one below the other, with a line to the middle of its section. */
function labels(sections, x, y, width) {
  let free = TOP - 4;
  return sections.flatMap(({ name, from, to }) => {
    const middle = (y(from) + y(to)) / 2;
    const at = Math.max(free, middle);
    free = at + 2 * LABEL;
    const start = (x[WHERE[name]] ?? x.listener).at + 6;
    return [
      svg("path", { class: "lead", fill: "none", d: `M${start} ${middle} L${width - 82} ${at}` }),
      svg("text", { x: width - 78, y: at + 2 }, name),
      svg("text", { x: width - 78, y: at + 2 + LABEL * 0.85, class: "dim" }, milliseconds(to - from)),
    ];
  });
}

function arrows({ steps, duration, answer, response }, x, y) {
  const app = x.application?.at;
  const listener = x.listener.at;
  const over = steps.handedOver;
  const found = [arrow(x.browser.at, listener, y(0))];
  if (x.queue && steps.queued !== undefined) found.push(arrow(listener, x.queue.at, y(steps.queued)));
  if (app && over !== undefined)
    found.push(arrow(x.queue && steps.queued !== undefined ? x.queue.at : listener, app, y(over)));
  if (app) for (const { at } of answer.pieces.slice(0, 200)) found.push(arrow(app, listener, y(at), "piece"));
  if (app && steps.head !== undefined && answer.pieces.length === 0)
    found.push(arrow(app, listener, y(steps.head)));
  for (const { at } of (response?.body.pieces ?? []).slice(0, 200))
    found.push(arrow(listener, x.browser.at, y(at), "piece"));
  found.push(arrow(listener, x.browser.at, y(steps.ended ?? duration)));
  return found;
}

function arrow(from, to, y, kind = "arrow") {
  const back = to < from ? 1 : -1;
  const tip = to + back * 7;
  return svg("path", {
    class: kind,
    fill: "none",
    d: `M${from - back * 7} ${y} L${tip} ${y} m${back * 5} -3 l${-back * 5} 3 l${back * 5} 3`,
  });
}
