// For tests that take long: the runner (scripts/testing) ends a file that is silent for too long.

/** Tells the runner that the test goes on; the text is shown while it takes long. */
export function reportProgress(text: string): void {
  process.send?.({ type: "progress", text });
}

/** A result that people should see of a test that has passed, too: the runner shows it below the line of the file. */
export function reportResult(text: string): void {
  if (process.send) process.send({ type: "result", text });
  else console.log(text);
}
