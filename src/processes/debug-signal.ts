// Node opens its debugger at SIGUSR1, which asks our processes for new log files: a child that does not listen for it yet would do
// so when all of them are signalled.
// Tested by test/cluster/signals.test.ts.

/** Flags of Node (22.14, 23.7) for a child that leaves the signal alone from its first moment on. */
export const withoutDebugSignal = (): string[] =>
  process.allowedNodeEnvironmentFlags.has("--disable-sigusr1") ? ["--disable-sigusr1"] : [];
