// For tests that take long: the runner (scripts/testing) ends a file that is silent for too long.

/** Tells the runner that the test goes on; the text is shown while it takes long. */
export function reportProgress(text: string): void {
  process.send?.({ type: "progress", text });
}
