// What several rounds of one contender come to: medians, except that failures are all of them.

export function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Gives each figure once, undefined where there is none, and the rates of the rounds. */
export function summary(rounds) {
  const of = (figure) => {
    const value = median(rounds.map(figure));
    return Number.isFinite(value) ? value : undefined;
  };
  const parts = (name) => ({
    server: of((round) => round[name]?.server),
    worker: of((round) => round[name]?.worker),
    all: of((round) => round[name]?.all),
  });
  return {
    rate: of(({ rate }) => rate),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    cpu: parts("cpu"),
    memory: parts("memory"),
    failures: rounds.reduce((sum, { failures }) => sum + failures, 0),
    rates: rounds.map(({ rate }) => Math.round(rate)),
  };
}
