// The conformance suite: rules for every listener in front of an application, and every gateway to one.
import type { Case } from "./case.ts";
import { endings } from "./cases/endings.ts";
import { methods } from "./cases/methods.ts";
import { requestBodies } from "./cases/request-bodies.ts";
import { requestHeaders } from "./cases/request-headers.ts";
import { responseBodies } from "./cases/response-bodies.ts";
import { responseHeads } from "./cases/response-heads.ts";
import { streaming } from "./cases/streaming.ts";
import { targets } from "./cases/targets.ts";

/** The cases by subject. */
export const themes: Readonly<Record<string, readonly Case[]>> = {
  Methods: methods,
  "Paths and queries": targets,
  "Request headers": requestHeaders,
  "Request bodies": requestBodies,
  "Response heads": responseHeads,
  "Response bodies": responseBodies,
  Streaming: streaming,
  Endings: endings,
};

export const suite: readonly Case[] = Object.values(themes).flat();
