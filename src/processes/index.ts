// Child processes: what the other rooms import.

export { BackOff, LONGEST_BACK_OFF } from "./back-off.ts";
export { type Child, type Descriptor, type SpawnOptions, startChild } from "./child.ts";
export { describeExit, type Exit, succeeded } from "./exit.ts";
export { guard } from "./guard.ts";
export type { LaunchOptions } from "./launched.ts";
export { Launcher, sharedLauncher } from "./launcher.ts";
export { escapeBytes, LineSplitter } from "./lines.ts";
export { canReadMemory, residentMemory } from "./memory.ts";
export { ApplicationOutput } from "./output.ts";
