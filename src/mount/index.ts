// Gateways inside other people's servers, as others see it.
export { type FetchMount, toFetchHandler } from "./fetch.ts";
export type { FetchContext } from "./fetch-head.ts";
export type { Lifecycle } from "./life.ts";
export { type NodeMount, type NodeMountOptions, toNodeHandler } from "./node.ts";
export type { MountOptions } from "./options.ts";
export { toUpgradeHandler, type UpgradeMount, type UpgradeMountOptions } from "./upgrade.ts";
