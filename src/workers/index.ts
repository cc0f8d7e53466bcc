// Workers, as the gateways of persistent applications see them.
export type { FrameWriter } from "./link.ts";
export { Pool, type PoolOptions } from "./pool.ts";
export { findPython } from "./python.ts";
export { type Encode, Stream } from "./stream.ts";
