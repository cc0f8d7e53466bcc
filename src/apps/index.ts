// Answers made in this process: fetch handlers, node handlers, files, and modules that export one of them.

export { QuickResponse, useQuickResponses } from "./fast-response.ts";
export { type FetchFacts, type FetchFunction, type FetchObject, fetchApp } from "./fetch.ts";
export { loadApp } from "./load.ts";
export { type AppOptions, type NodeHandler, nodeApp } from "./node.ts";
export { type StaticOptions, staticFiles } from "./static.ts";
