// Workers, for the gateways of Python applications.
export {
  type AnswerExchange,
  aPythonApp,
  type InterfaceSpec,
  type OldPythonNames,
  type OnInterface,
  PythonApplication,
  type Runner,
} from "./application.ts";
export { INTERFACE_NAMES, type Interface } from "./interface.ts";
export { FrameWriter, LARGE, PIECE, TO_WORKER } from "./link.ts";
export type { MarshalValue } from "./marshal.ts";
export {
  APPLICATION_CHECKS,
  EVENT_LOOP_CHECKS,
  type EventLoopOptions,
  type PythonApplicationOptions,
  type Resolved,
  THREAD_CHECKS,
  type ThreadOptions,
} from "./options.ts";
export { Pool, type PoolOptions, type RunnerStatus } from "./pool.ts";
export { findPython } from "./python.ts";
export { type Measurement, type Scaled, Scaler } from "./scaler.ts";
export { type Input, type StreamTransport, WorkerStream } from "./stream.ts";
export { releaseOf } from "./upload.ts";
