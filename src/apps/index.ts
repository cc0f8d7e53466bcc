// Answers made in this process: fetch handlers, node handlers, files, and modules that export one of them.

export { useFastRequests } from "./fast-request.ts";
export { FastResponse, useFastResponses } from "./fast-response.ts";
export { type FetchFacts, type FetchFunction, type FetchObject, fetchApp } from "./fetch.ts";
export { loadApp } from "./load.ts";
export { type AppOptions, type NodeHandler, nodeApp } from "./node.ts";
export { type StaticOptions, staticFiles } from "./static.ts";

// Earlier names, kept until 1.0.
import { FastResponse, useFastResponses } from "./fast-response.ts";

/** @deprecated It is called `FastResponse` now. */
export const QuickResponse: typeof FastResponse = FastResponse;
/** @deprecated It is called `FastResponse` now. */
export type QuickResponse = FastResponse;
/** @deprecated It is called `useFastResponses` now. */
export const useQuickResponses: typeof useFastResponses = useFastResponses;
