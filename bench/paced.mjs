// What paced.c says.

/** Times in milliseconds; when it could not end, all of it is a failure. */
export function parsePaced(text) {
  const [, answered, failed, p50, p99] =
    /Answered: (\d+)\nFailed: (\d+)\n50%: (\d+)\n99%: (\d+)/.exec(text) ?? [];
  if (answered === undefined) return { requests: 0, failures: 1 };
  const [requests, failures] = [Number(answered), Number(failed)];
  return { requests, failures, p50: Number(p50) / 1000, p99: Number(p99) / 1000 };
}
