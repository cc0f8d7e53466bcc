// Child processes: what the other rooms import.

export { type Account, accountOf } from "./accounts.ts";
export { BackOff, LONGEST_BACK_OFF } from "./back-off.ts";
export { type Child, type Descriptor, type SpawnOptions, startChild } from "./child.ts";
export { inheritedEnvironment, isOfCgi, isOwnVariable } from "./environment.ts";
export { describeExit, type Exit, succeeded, wasKilledByOthers } from "./exit.ts";
export { guard } from "./guard.ts";
export { type Isolation, isolated, isolationOf, type Needs, NOT_ISOLATED } from "./isolation.ts";
export type { LaunchOptions } from "./launched.ts";
export { Launcher, sharedLauncher } from "./launcher.ts";
export { escapeBytes, LineSplitter } from "./lines.ts";
export { canReadMemory, residentMemory } from "./memory.ts";
export { ApplicationOutput } from "./output.ts";
export { Lifespan, memoryOf, needsWatch, SERVED } from "./recycling.ts";
export { notBecomeText, scriptFault } from "./start-failure.ts";
