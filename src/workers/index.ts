// Workers, as the gateways of persistent applications see them.
export {
  type AnswerExchange,
  APPLICATION_CHECKS,
  aPythonApp,
  type InterfaceOptions,
  type InterfaceSpec,
  type OldPythonNames,
  type OnInterface,
  PythonApplication,
  type PythonApplicationOptions,
  type Runner,
} from "./application.ts";
export { INTERFACE_NAMES, type Interface } from "./interface.ts";
export { FrameWriter, PIECE, TO_WORKER } from "./link.ts";
export type { MarshalValue } from "./marshal.ts";
export type { Lifespan, Loop } from "./options.ts";
export { Pool, type PoolOptions } from "./pool.ts";
export { findPython } from "./python.ts";
export { type EncodeRequest, type StreamTransport, WorkerStream } from "./stream.ts";
