// Pieces that arrive while the rest does not exist yet, and sides that wait for each other.
// Tested by test/matrix/matrix.test.ts.
import type { Case } from "../case.ts";

export const streaming: readonly Case[] = [
  {
    name: "a piece of a response arrives before the next one exists (W12)",
    request: {},
    client: "unlocksPieces",
    app: { kind: "stream", pieces: ["one,", "two,", "three"], gated: true },
    expected: { status: 200, body: "one,two,three", persistent: true },
  },
  {
    name: "a piece of a response with a length arrives before the next one exists",
    request: {},
    client: "unlocksPieces",
    app: {
      kind: "stream",
      headers: ["Content-Length", "6", "Content-Type", "text/plain"],
      pieces: ["abc", "def"],
      gated: true,
    },
    expected: { status: 200, body: "abcdef", framing: "length", persistent: true },
  },
  {
    name: "a single byte arrives before the next one exists",
    request: {},
    client: "unlocksPieces",
    app: { kind: "stream", pieces: ["a", "b"], gated: true },
    expected: { status: 200, body: "ab" },
  },
  {
    name: "an HTTP/1.0 client gets pieces as they come",
    request: { version: "1.0" },
    client: "unlocksPieces",
    app: { kind: "stream", pieces: ["one,", "two"], gated: true },
    expected: { status: 200, body: "one,two" },
  },
  {
    name: "the application reads a body before it is complete",
    needs: ["streamsUpload"],
    request: { method: "POST", body: { size: 200_000 } },
    client: "pausesUpload",
    app: { kind: "absorb" },
    expected: { status: 200, body: "200000", noted: ["complete"], notNoted: ["left"] },
  },
  {
    name: "the application reads a chunked body before it is complete",
    needs: ["streamsChunks"],
    request: { method: "POST", body: { size: 200_000 }, chunk: 5_000 },
    client: "pausesUpload",
    app: { kind: "absorb" },
    expected: { status: 200, body: "200000", noted: ["complete"], notNoted: ["left"] },
  },
  {
    name: "request and response are on their way at the same time",
    needs: ["duplex"],
    request: { method: "POST", body: { size: 30 }, chunk: 10 },
    client: "pingsAndPongs",
    app: { kind: "echo" },
    expected: { status: 200, body: { size: 30 } },
  },
  {
    name: "a client that does not read makes the application wait, which learns when the client leaves",
    needs: ["holdsBack"],
    request: {},
    client: "stalls",
    app: { kind: "endless" },
    expected: { status: 200, complete: false, noted: ["left"] },
  },
];
