// Two charts of plain SVG: requests of each second by class of the status, and how long requests took.
import { CLASSES, colour, milliseconds, svg } from "./dom.js";

/** Seconds that are shown. */
export const SECONDS = 120;
const [WIDTH, HEIGHT, FOOT] = [600, 170, 22];

const chart = (label, children) =>
  svg(
    "svg",
    { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    children,
  );

const text = (x, y, content, anchor = "start") =>
  svg("text", { x, y, "text-anchor": anchor, class: "dim" }, content);

/** `rates`: for each second a number for each class; the latest last. */
export function rateChart(rates) {
  const totals = rates.map((rate) => CLASSES.reduce((sum, name) => sum + (rate[name] ?? 0), 0));
  const most = Math.max(1, ...totals);
  const width = WIDTH / SECONDS;
  const bars = rates.flatMap((rate, i) => stack(rate, WIDTH - (rates.length - i) * width, width, most));
  const label = `Requests of each second in the last two minutes, at most ${most.toFixed(0)}, now ${(totals.at(-1) ?? 0).toFixed(0)}`;
  return chart(label, [
    ...bars,
    text(4, 14, `${most.toFixed(0)} requests/s`),
    text(4, HEIGHT - 6, "2 min ago"),
    text(WIDTH - 4, HEIGHT - 6, "now", "end"),
  ]);
}

function stack(rate, x, width, most) {
  let y = HEIGHT - FOOT;
  return CLASSES.flatMap((name) => {
    const height = ((rate[name] ?? 0) / most) * (HEIGHT - FOOT - 20);
    if (height === 0) return [];
    y -= height;
    return svg("rect", { class: `bar ${colour(name)}`, x, y, width: width * 0.8, height });
  });
}

/** `counts`: a number for each of `bounds` (seconds), and one more. */
export function durationChart(counts, bounds) {
  const most = Math.max(1, ...counts);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const width = WIDTH / counts.length;
  const bars = counts.map((count, i) => {
    const height = (count / most) * (HEIGHT - FOOT - 20);
    return svg("rect", {
      class: "bar time",
      x: i * width + 1,
      y: HEIGHT - FOOT - height,
      width: width - 2,
      height,
    });
  });
  const marks = bounds.flatMap((bound, i) =>
    i % 3 === 0 ? text((i + 1) * width, HEIGHT - 6, short(bound), "middle") : [],
  );
  const label = `How long the ${total} requests of the last minute took: half of them at most ${milliseconds(quantile(counts, bounds, 0.5))}, 99 % at most ${milliseconds(quantile(counts, bounds, 0.99))}`;
  return chart(label, [...bars, ...marks, text(4, 14, `${most} requests`)]);
}

const short = (seconds) => (seconds < 1 ? `${seconds * 1000} ms` : `${seconds} s`);

/** Milliseconds: within a bucket as if all were spread evenly. Undefined without requests. */
export function quantile(counts, bounds, share) {
  const wanted = counts.reduce((sum, count) => sum + count, 0) * share;
  if (wanted === 0) return undefined;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    if (below + count >= wanted) {
      const [from, to] = [bounds[i - 1] ?? 0, bounds[i] ?? bounds.at(-1)];
      return (from + ((to - from) * (wanted - below)) / count) * 1000;
    }
    below += count;
  }
  return bounds.at(-1) * 1000;
}
