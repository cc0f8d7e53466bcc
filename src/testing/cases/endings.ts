// How exchanges and connections end: applications that fail, clients that leave, connections that live on.
// Tested by test/matrix/matrix.test.ts.
import type { Case, Step } from "../case.ts";

const AGAIN: Step = {
  request: {},
  app: { kind: "answer", body: "again" },
  expected: { status: 200, body: "again", persistent: true },
};

/** Details of an application's failure that no client may see. */
const INSIDES = ["Traceback", "conformance", "    at ", ".py", ".ts"];

export const endings: readonly Case[] = [
  {
    name: "an application that fails before its head is an error, without its insides",
    request: {},
    app: { kind: "fail" },
    expected: { status: [500, 502], without: INSIDES },
    next: [AGAIN],
  },
  {
    name: "an application that fails with a body unread is an error",
    request: { method: "POST", body: { size: 100_000 } },
    app: { kind: "fail" },
    expected: { status: [500, 502], without: INSIDES },
    next: [AGAIN],
  },
  {
    name: "an application that fails in the middle of its body is cut visibly (W4, A3)",
    request: {},
    client: "unlocksPieces",
    app: { kind: "stream", pieces: ["partial"], gated: true, ending: "fail" },
    expected: { status: 200, body: "partial", complete: false, without: INSIDES },
    next: [AGAIN],
  },
  {
    name: "an application that fails before its announced length is cut visibly (F15)",
    request: {},
    client: "unlocksPieces",
    app: {
      kind: "stream",
      headers: ["Content-Length", "100", "Content-Type", "text/plain"],
      pieces: ["partial"],
      gated: true,
      ending: "fail",
    },
    expected: { status: 200, body: "partial", complete: false, without: INSIDES },
    next: [AGAIN],
  },
  {
    name: "an application that fails after its head never looks complete",
    request: {},
    app: { kind: "stream", pieces: ["partial"], ending: "fail" },
    expected: [
      { status: [500, 502], without: INSIDES },
      { status: 200, complete: false },
    ],
    next: [AGAIN],
  },
  {
    name: "an application that fails before its first piece never looks complete",
    request: {},
    app: { kind: "stream", pieces: [], ending: "fail" },
    expected: [
      { status: [500, 502], without: INSIDES },
      { status: 200, complete: false },
    ],
    next: [AGAIN],
  },
  {
    name: "an application learns that its client left in the middle of the response (W6)",
    request: {},
    client: "leavesMidResponse",
    app: { kind: "endless" },
    expected: { status: 200, complete: false, noted: ["left"] },
    next: [AGAIN],
  },
  {
    name: "an application learns that its client left in the middle of the request (F13)",
    needs: ["streamsUpload"],
    request: { method: "POST", body: { size: 200_000 } },
    client: "leavesMidUpload",
    app: { kind: "absorb" },
    expected: { complete: false, noted: ["left"], notNoted: ["complete"] },
    next: [AGAIN],
  },
  {
    name: "an application that waits learns that its client has left",
    needs: ["tellsLeaving"],
    request: {},
    client: "leavesBeforeHead",
    app: { kind: "hang" },
    expected: { complete: false, noted: ["left"] },
    next: [AGAIN],
  },
  {
    name: "a client that ends its side after the request is still answered (L1)",
    needs: ["halfClose"],
    request: { method: "POST", body: "12345" },
    client: "endsItsSide",
    app: { kind: "stream", pieces: ["one,", "two"], gated: true },
    expected: { status: 200, body: "one,two" },
  },
  {
    name: "one connection serves many requests",
    request: { method: "POST", body: "1" },
    app: { kind: "echo" },
    expected: { status: 200, body: "1", persistent: true },
    next: [
      AGAIN,
      { request: {}, app: { kind: "stream", pieces: ["a", "b"] }, expected: { body: "ab" } },
      AGAIN,
    ],
  },
  {
    name: "requests sent at once are answered in their order",
    client: "pipelines",
    request: { target: "/1" },
    app: { kind: "answer", body: "first" },
    expected: { status: 200, body: "first" },
    next: [
      { request: { method: "POST", body: "second" }, app: { kind: "echo" }, expected: { body: "second" } },
      { request: {}, app: { kind: "stream", pieces: ["th", "ird"] }, expected: { body: "third" } },
    ],
  },
  {
    name: "a client that asks for it finds its connection closed",
    request: { headers: ["Connection", "close"] },
    app: { kind: "answer", body: "bye" },
    expected: { status: 200, body: "bye", persistent: false },
  },
];
