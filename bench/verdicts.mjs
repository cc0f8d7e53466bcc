// Ours over each of the others, and whether that is what we owe.

/**
 * For each row of ours and each other row (of the same Node, where that runs on Node, too) `{ ours, peer, rate, cpu, p99,
 * checks }`: indexes of rows, ratios (ours divided by theirs), and for each target `{ what, wanted, got, met }`. `met` is
 * undefined where there is nothing to compare: a target that could not be measured is neither met nor missed.
 */
export function verdicts(rows, { serverMemory } = {}) {
  const found = [];
  for (const [ours, own] of rows.entries()) {
    if (own.kind !== "ours" || own.target) continue;
    if (serverMemory) found.push(memoryVerdict(ours, own, serverMemory));
    for (const [peer, other] of rows.entries())
      if (comparable(own, other)) found.push(verdict(rows, ours, peer));
  }
  return found;
}

/** Ours with a target is one of ours that another one of ours is compared with. */
const comparable = (own, other) =>
  (other.kind !== "ours" || other.target !== undefined) &&
  (other.node === undefined || other.node === own.node);

function verdict(rows, ours, peer) {
  const [own, other] = [rows[ours], rows[peer]];
  const ratios = {
    rate: over(own.rate, other.rate),
    cpu: over(own.cpu.all, other.cpu.all),
    cpuServer: over(own.cpu.server, other.cpu.server),
    cpuWorker: over(own.cpu.worker, other.cpu.worker),
    p99: over(own.p99, other.p99),
  };
  const checks = Object.entries(wanted(other.target)).map(([what, limit]) => ({
    what,
    wanted: limit,
    got: ratios[what],
    met: judge(own, other, what, ratios[what], limit),
  }));
  return { ours, peer, ...ratios, checks };
}

/** A peer that failed, or left connections waiting, is shown, and nothing follows from it; if we did, we missed. */
function judge(own, other, what, got, limit) {
  if (!sound(other) || own.absent) return undefined;
  return sound(own) ? meets(what, got, limit) : false;
}

const sound = ({ problem, marks, failures, rate }) =>
  !problem && marks.length === 0 && failures === 0 && rate > 0;

function wanted({ cpuEach, ...target } = {}) {
  return cpuEach === undefined ? target : { ...target, cpuServer: cpuEach, cpuWorker: cpuEach };
}

/** More requests are better; less of anything else. */
export function meets(what, got, limit) {
  if (got === undefined) return undefined;
  return what === "rate" ? got >= limit : got <= limit;
}

function memoryVerdict(ours, { memory }, limit) {
  const got = memory.server;
  const met = got === undefined ? undefined : got <= limit;
  return { ours, checks: [{ what: "serverMemory", wanted: limit, got, met }] };
}

const over = (ours, theirs) => (ours > 0 && theirs > 0 ? ours / theirs : undefined);
