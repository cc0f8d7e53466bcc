// Workers, as the gateways of persistent applications see them.
export {
  type Answer,
  APPLICATION_CHECKS,
  Application,
  type ApplicationOptions,
  aPythonApp,
  type Crew,
  type Found,
  type InterfaceOptions,
  type Spoken,
} from "./application.ts";
export { INTERFACE_NAMES, type Interface } from "./interface.ts";
export { FrameWriter, PIECE, TO_WORKER } from "./link.ts";
export type { MarshalValue } from "./marshal.ts";
export type { Lifespan, Loop } from "./options.ts";
export { Pool, type PoolOptions } from "./pool.ts";
export { findPython } from "./python.ts";
export { type Carrier, type Encode, Stream } from "./stream.ts";
