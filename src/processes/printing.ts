// Passes a child's output to our log, line by line, until the child has exited and all output has arrived.
// Tested by test/processes/child.test.ts.
import type { Socket } from "node:net";
import { LineSplitter, type RecordLines } from "./lines.ts";

/** Milliseconds for a grandchild to go on printing when the child itself has exited. */
const AFTER_EXIT = 2000;

/** Who gets what a child prints. */
export interface Readers {
  /** Gets each line, with control characters escaped. */
  readonly onLine?: ((line: string, descriptor: number) => void) | undefined;
  /** For a child that marks records by this token: gets the JSON of each. */
  readonly records?:
    | { readonly token: string; readonly onRecord: (json: string, descriptor: number) => void }
    | undefined;
}

/** Splits the output at `outputs` (by descriptor) into lines; resolves when all have closed. */
export async function readLines(
  outputs: readonly (Socket | undefined)[],
  exited: Promise<unknown>,
  { onLine = () => {}, records }: Readers,
): Promise<void> {
  const recordsAt = (at: number): RecordLines | undefined =>
    records && { token: records.token, onRecord: (json) => records.onRecord(json, at) };
  const printed = outputs.map(
    (output, at) => output && splitLines(output, (line) => onLine(line, at), recordsAt(at)),
  );
  await exited;
  const timer = setTimeout(() => destroyAll(outputs), AFTER_EXIT);
  await Promise.all(printed);
  clearTimeout(timer);
}

function splitLines(
  output: Socket,
  onLine: (line: string) => void,
  records: RecordLines | undefined,
): Promise<void> {
  const splitter = new LineSplitter(onLine, undefined, records);
  output.on("data", (chunk: Buffer) => splitter.push(chunk));
  // Nothing is ever written here: a socket that allows half-open connections would stay open.
  output.once("end", () => output.destroy());
  return new Promise((resolve) => {
    output.once("close", () => {
      splitter.end();
      resolve();
    });
  });
}

function destroyAll(sockets: readonly (Socket | undefined)[]): void {
  for (const socket of sockets) socket?.destroy();
}
