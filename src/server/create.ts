// A server for code: of a configuration that has not been checked.
// Tested by test/server/serve.test.ts.
import type { Config } from "../config/config.ts";
import { checkConfig } from "../config/errors.ts";
import { aFlag, aFunction, aLog, anObject, aText, type Checks, checkOptions } from "../options/checks.ts";
import { refuseAccount } from "./privileges.ts";
import { type Server, type ServerOptions, serverOf } from "./server.ts";

/** A server of this configuration, not started yet. Throws CONFIG_INVALID. */
export const createServer = (config: Config, options: ServerOptions = {}): Server => {
  checkOptions("createServer()", options, CHECKS, '{ directory: "/srv/site" }');
  const settings = checkConfig(config);
  refuseAccount(settings);
  return serverOf(settings, options);
};

const CHECKS: Checks<ServerOptions> = {
  directory: aText,
  log: aLog,
  accepted: aFunction,
  counts: anObject,
  inspection: aFunction,
  tail: anObject,
  development: anObject,
  reread: aFunction,
  beforeApps: aFunction,
  ownProcess: aFlag,
};
