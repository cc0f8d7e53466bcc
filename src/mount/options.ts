// The options of a handler, checked once, when it is made.
// Tested by test/mount/life.test.ts.

import { type Log, SallyportError } from "../exchange/index.ts";
import { HTTP_LIMITS } from "../http/limits.ts";
import {
  aGateway,
  aLog,
  anyText,
  byteCount,
  type Check,
  type Checks,
  checkArgument,
  checkOptions,
  milliseconds,
} from "../options/checks.ts";
import { consoleLog } from "./console-log.ts";

export interface MountOptions {
  /**
   * The path prefix that leads here, as it is sent: SCRIPT_NAME. For hosts that do not tell what they stripped from the path.
   * A request outside of it is not this gateway's.
   */
  readonly mount?: string | undefined;
  /** Default: warnings and errors on the console. */
  readonly log?: Log | undefined;
  /** Bytes of a request body; more is 413. Default 2 GiB. */
  readonly maxBody?: number | undefined;
  /** Milliseconds that a client may read nothing of a response that waits for it; then it is cut. Default 60 s; 0 for no limit. */
  readonly sendTimeout?: number | undefined;
}

export const MOUNT_CHECKS: Checks<MountOptions> = {
  mount: anyText,
  log: aLog,
  maxBody: byteCount,
  sendTimeout: milliseconds,
};

/** Throws CONFIG_INVALID for arguments of `place` ("toNodeHandler()") that make no sense. */
export function checkMount(
  place: string,
  gateway: unknown,
  options: unknown,
  known: Readonly<Record<string, Check>>,
): void {
  checkArgument(place, "the first argument", gateway, aGateway);
  checkOptions(place, options, known, '{ mount: "/ml" }');
}

/** The options with their defaults. The prefix has no slash at its end: "" for everything. */
export interface MountSettings {
  readonly prefix: string | undefined;
  readonly log: Log;
  readonly maxBody: number;
  readonly sendTimeout: number;
}

/** Throws CONFIG_INVALID for a mount that no path can begin with. */
export function mountSettingsOf({ mount, log, maxBody, sendTimeout }: MountOptions): MountSettings {
  if (mount !== undefined && !/^(?:\/[\x21\x22\x24-\x3e\x40-\x7e]*)?$/.test(mount))
    throw new SallyportError(
      "CONFIG_INVALID",
      `the mount ${JSON.stringify(mount)} is not the beginning of a path`,
    );
  return {
    prefix: mount?.replace(/\/+$/, ""),
    log: log ?? consoleLog,
    maxBody: maxBody ?? HTTP_LIMITS.body,
    sendTimeout: sendTimeout ?? HTTP_LIMITS.sendTimeout,
  };
}

/** Whether `path` is `prefix` or below it, segment by segment: /ml is not the beginning of /mlx. */
export const isBelow = (path: string, prefix: string): boolean =>
  path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
