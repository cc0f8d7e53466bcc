// For tests that take long without being hung: the runner (scripts/testing) ends what it hears nothing of.

/** Tells the runner that the test has come further: it counts as alive, and the text is shown while it takes long. */
export function reportProgress(text: string): void {
  process.send?.({ type: "progress", text });
}
