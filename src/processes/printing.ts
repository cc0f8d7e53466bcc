// A child's output on its way to our log, until the child has ended and all of it has come.
import type { Socket } from "node:net";
import { LineSplitter } from "./lines.ts";

/** How long a grandchild may go on printing when the child itself has ended. */
const AFTER_EXIT = 2000;

/** Cuts what comes in at `ends` (by descriptor) into lines; resolves when all ends have closed. */
export async function readLines(
  ends: readonly (Socket | undefined)[],
  exited: Promise<unknown>,
  online: (line: string, descriptor: number) => void,
): Promise<void> {
  const printed = ends.map((end, at) => end && cutLines(end, (line) => online(line, at)));
  await exited;
  const timer = setTimeout(() => destroyAll(ends), AFTER_EXIT);
  await Promise.all(printed);
  clearTimeout(timer);
}

function cutLines(end: Socket, online: (line: string) => void): Promise<void> {
  const cutter = new LineSplitter(online);
  end.on("data", (chunk: Buffer) => cutter.push(chunk));
  // We have nothing to say to it: an end that may be half-open would stay so.
  end.once("end", () => end.destroy());
  return new Promise((resolve) => {
    end.once("close", () => {
      cutter.end();
      resolve();
    });
  });
}

function destroyAll(ends: readonly (Socket | undefined)[]): void {
  for (const end of ends) end?.destroy();
}
