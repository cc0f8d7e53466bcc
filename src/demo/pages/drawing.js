// The drawing of panel 1: browser, server, the wall, application. A dot runs along it, slowed down; the parts of its way have
// the proportions of the measured times.
import { milliseconds, svg } from "./dom.js";
import { WALLS } from "./doors.js";
import { sectionsOf } from "./sequence.js";

/** Narrower than that, the way goes down instead of to the right. */
const NARROW = 640;

/** `element`, and `play(mark)`: runs the dot, and `mark` along the bar of times. */
export function drawing(door, view, width) {
  const plan = width < NARROW ? planDown(door, view, width) : planRight(door, view, width);
  const application = svg("g", { class: door.wall === "process" ? "application brief" : "application" }, [
    box(plan.application, "box app"),
    text(plan.application, 0, "application", "title"),
    text(plan.application, 1, nameOfProcess(door, view), "dim"),
    text(plan.application, 2, lifeOf(door, view), "dim"),
  ]);
  const dot = svg("circle", { class: "dot", r: 8, cx: 0, cy: 0 });
  const element = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${plan.height}`,
      width,
      height: plan.height,
      role: "img",
      "aria-label": describe(door, view),
    },
    box(plan.server, "box server"),
    text(plan.server, 0, "server: Sallyport", "title"),
    box(plan.browser, "box"),
    text(plan.browser, 0, "browser", "title"),
    text(plan.browser, 1, "asks, and waits", "dim"),
    box(plan.listener, "box inner"),
    text(plan.listener, 0, "listener", "title"),
    text(plan.listener, 1, "parses HTTP", "dim"),
    plan.queue
      ? [
          box(plan.queue, "box inner"),
          text(plan.queue, 0, "queue", "title"),
          text(plan.queue, 1, view.steps.queued === undefined ? "no wait" : "waits", "dim"),
        ]
      : [],
    wallOf(plan, door),
    lanes(plan),
    application,
    figures(plan, view),
    dot,
  );
  dot.style.opacity = 0;
  return { element, play: (mark) => play({ dot, application, plan, view, door, mark }) };
}

const isBrief = ({ wall, id }) => wall === "process" && id !== "warm";

function nameOfProcess({ wall }, { process, pid }) {
  if (wall === "call") return "in the server's process";
  const number = process?.pid ?? pid;
  return number === undefined ? "a process of its own" : `process ${number}`;
}

function lifeOf(door, { process }) {
  if (door.wall === "process")
    return isBrief(door) ? "started for it, then gone" : "forked for it, then gone";
  return process ? `its answer no. ${process.answered}` : "stays";
}

function describe(door, view) {
  const sections = sectionsOf(view).map(({ name, from, to }) => `${name} ${milliseconds(to - from)}`);
  return `The request goes from the browser to the server, across ${WALLS[door.wall]} to the application (${nameOfProcess(door, view)}), and back: ${sections.join(", ")}.`;
}

const box = ({ x, y, w, h }, name) => svg("rect", { class: name, x, y, width: w, height: h, rx: 9 });

const text = ({ x, y }, line, content, name) =>
  svg("text", { x: x + 12, y: y + 22 + line * 17, class: name }, content);

/** From left to right. Two lanes: there, and back below it. */
function planRight({ wall }, _view, width) {
  const isCall = wall === "call";
  const at = (share) => Math.round(share * width);
  const gap = Math.max(24, at(0.045));
  const browser = { x: 1, y: 40, w: at(0.15), h: 158 };
  const server = { x: browser.w + gap, y: 1, w: isCall ? width - browser.w - gap - 3 : at(0.39), h: 212 };
  const inner = isCall ? at(0.17) : (server.w - 42) / 2;
  const listener = { x: server.x + 14, y: 40, w: inner, h: 158 };
  const queue = isCall ? undefined : { x: listener.x + inner + 14, y: 40, w: inner, h: 158 };
  const appWidth = isCall ? at(0.28) : at(0.27);
  const application = { x: width - appWidth - (isCall ? 16 : 2), y: 40, w: appWidth, h: 158 };
  const from = isCall ? listener.x + listener.w : server.x + server.w;
  const wallAt = (from + application.x) / 2;
  const mid = ({ x, w }) => x + w / 2;
  return {
    isDown: false,
    height: 236,
    browser,
    server,
    listener,
    queue,
    application,
    wallAt,
    lane: { there: 138, back: 164 },
    stops: {
      browser: browser.x + browser.w,
      listener: mid(listener),
      queue: queue && mid(queue),
      wall: wallAt,
      application: application.x + application.w * 0.6,
    },
    edges: [
      [browser.x + browser.w, listener.x],
      ...(queue ? [[listener.x + listener.w, queue.x]] : []),
      [queue ? queue.x + queue.w : listener.x + listener.w, application.x],
    ],
    span: [2, 214],
  };
}

/** From above downwards, for narrow places. The lanes are at the right. */
function planDown({ wall }, _view, width) {
  const isCall = wall === "call";
  const browser = { x: 1, y: 1, w: width - 2, h: 62 };
  const listener = { x: 13, y: 132, w: width - 26, h: 62 };
  const queue = isCall ? undefined : { x: 13, y: 208, w: width - 26, h: 62 };
  const end = queue ? 284 : 208;
  const application = { x: isCall ? 13 : 1, y: end + 52, w: width - (isCall ? 26 : 2), h: 84 };
  const server = {
    x: 1,
    y: 94,
    w: width - 2,
    h: isCall ? application.y + application.h + 14 - 94 : end - 94,
  };
  const wallAt = (isCall ? listener.y + listener.h : end) + (isCall ? 33 : 26);
  return {
    isDown: true,
    height: application.y + application.h + (isCall ? 16 : 2),
    browser,
    server,
    listener,
    queue,
    application,
    wallAt,
    lane: { there: width - 74, back: width - 44 },
    stops: {
      browser: browser.y + browser.h,
      listener: listener.y + listener.h / 2,
      queue: queue && queue.y + queue.h / 2,
      wall: wallAt,
      application: application.y + application.h * 0.55,
    },
    edges: [
      [browser.y + browser.h, listener.y],
      ...(queue ? [[listener.y + listener.h, queue.y]] : []),
      [queue ? queue.y + queue.h : listener.y + listener.h, application.y],
    ],
    span: [4, width - 4],
  };
}

/** Pixels of a brick along the wall. */
const BRICK = 18;

/** Bricks with an opening where the lanes are; for a call only a line. */
function wallOf({ isDown, wallAt, lane, span, height }, { wall }) {
  const label = isDown
    ? svg("text", { x: 14, y: wallAt + 4, class: "wall-name" }, WALLS[wall])
    : svg("text", { x: wallAt, y: height - 6, class: "wall-name", "text-anchor": "middle" }, WALLS[wall]);
  const [from, to] = [Math.min(lane.there, lane.back) - 13, Math.max(lane.there, lane.back) + 13];
  const place = (along, size, row = 0) =>
    isDown
      ? { x: along, y: wallAt - 9 + row * 10, width: size, height: 8 }
      : { x: wallAt - 12 + row * 13, y: along, width: 11, height: size };
  const bricks = [];
  const reserved = isDown ? [0, WALLS[wall].length * 7.4 + 22] : [214, height];
  const touches = (along, [start, end]) => along + BRICK > start && along < end;
  for (const row of [0, 1])
    for (let along = span[0] + row * (BRICK / 2); along < span[1] - BRICK; along += BRICK + 2)
      if (!touches(along, [from, to]) && !touches(along, reserved))
        bricks.push(
          svg("rect", {
            ...place(along, BRICK, row),
            class: wall === "call" ? "brick thin" : "brick",
            rx: 1.5,
          }),
        );
  const opening = isDown
    ? { x: from, y: wallAt - 11, width: to - from, height: 22 }
    : { x: wallAt - 14, y: from, width: 28, height: to - from };
  const pipe = svg("rect", { ...opening, class: "opening", rx: 5 });
  return [bricks, wall === "socket" ? pipe : [], label];
}

function lanes({ isDown, edges, lane }) {
  const line = (from, to, across, name) => {
    const back = to < from ? 1 : -1;
    const tip = `m${back * 6} -4 l${-back * 6} 4 l${back * 6} 4`;
    const tipDown = `m-4 ${back * 6} l4 ${-back * 6} l4 ${back * 6}`;
    const d = isDown
      ? `M${across} ${from} L${across} ${to} ${tipDown}`
      : `M${from} ${across} L${to} ${across} ${tip}`;
    return svg("path", { class: name, fill: "none", d });
  };
  return edges.map(([from, to]) => [
    line(from + 2, to - 2, lane.there, "lane"),
    line(to - 2, from + 2, lane.back, "lane back"),
  ]);
}

/** The time of each section, in the box in which it passed; the listener also writes. */
function figures(plan, view) {
  return sectionsOf(view).flatMap(({ name, from, to }) => {
    const isWriting = name === "writing";
    const place = isWriting ? plan.listener : plan[name];
    if (!place) return [];
    const said = `${milliseconds(to - from)}${isWriting ? " writing" : ""}`;
    const below = name === "application" ? 74 : 55;
    const at = plan.isDown
      ? { x: place.x + (isWriting ? 100 : 12), y: place.y + below }
      : { x: place.x + 12, y: place.y + (isWriting ? 148 : 84) };
    return svg("text", { ...at, class: `figure f-${name}` }, said);
  });
}

/** Where the dot is, and when: milliseconds of the request. It is at the wall when the application gets it, and when it answers. */
function journey({ stops, lane }, { steps, duration }) {
  const { queued, handedOver, head, ended = duration } = steps;
  const found = [[0, stops.listener, lane.there]];
  if (queued !== undefined && stops.queue) found.push([queued, stops.queue, lane.there]);
  if (handedOver !== undefined) {
    const answered = head ?? ended;
    const inside = answered - handedOver;
    found.push(
      [handedOver, stops.wall, lane.there],
      [handedOver + inside * 0.3, stops.application, lane.there],
      [handedOver + inside * 0.7, stops.application, lane.back],
      [answered, stops.wall, lane.back],
    );
  }
  found.push([ended, stops.browser, lane.back]);
  return found;
}

/** Milliseconds on the screen: longer for a slow request, but not in proportion, or nobody could see the quick ones. */
const screenTime = (duration) => 700 + 750 * Math.log10(1 + duration);
/** No step is too short to be seen. */
const LEAST = 220;

function play({ dot, application, plan, view, door, mark }) {
  const way = journey(plan, view);
  const total = Math.max(view.duration, 0.001);
  const times = way.map(([at], i) =>
    i === 0 ? LEAST * 1.5 : LEAST + ((at - way[i - 1][0]) / total) * screenTime(total),
  );
  const length = times.reduce((sum, each) => sum + each, 0);
  let passed = 0;
  const offsets = times.map((time) => {
    passed += time;
    return Math.min(1, passed / length);
  });
  const spot = (along, across) =>
    `translate(${plan.isDown ? across : along}px, ${plan.isDown ? along : across}px)`;
  const frames = way.map(([, along, across], i) => ({
    transform: spot(along, across),
    opacity: 1,
    offset: offsets[i],
  }));
  const start = { transform: spot(plan.stops.browser, plan.lane.there), opacity: 1, offset: 0 };
  const timing = { duration: length, easing: "linear", fill: "none" };
  dot.animate([start, ...frames], timing);
  mark.animate(
    [
      { left: "0%", opacity: 1, offset: 0 },
      ...way.map(([at], i) => ({ left: `${(at / total) * 100}%`, opacity: 1, offset: offsets[i] })),
    ],
    timing,
  );
  if (door.wall === "process" && way.length > 3) appear(application, offsets, way.length, timing);
}

/** The process is there only while it is needed. */
function appear(application, offsets, count, timing) {
  const [over, answered] = [offsets[count - 5], offsets[count - 2]];
  application.animate(
    [
      { opacity: 0.08, offset: 0 },
      { opacity: 0.08, offset: Math.max(0, over - 0.02) },
      { opacity: 1, offset: over },
      { opacity: 1, offset: answered },
      { opacity: 0.3, offset: 1 },
    ],
    timing,
  );
}
