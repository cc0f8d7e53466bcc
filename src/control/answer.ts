// The requests of the control socket and what each of them does. Knows no transport, so that the admin listener answers alike.
// Tested by test/control/socket.test.ts.
import { type ProcessBounds, SallyportError } from "../exchange/index.ts";
import type { Operations } from "./operations.ts";
import { type SentError, sentErrorOf } from "./sent-error.ts";
import { fitting } from "./stacks.ts";

export interface ControlRequest {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly body: string;
}

export interface ControlAnswer {
  readonly status: number;
  /** Sent as JSON. */
  readonly value: unknown;
  /** The answer ends when the server is gone. */
  readonly lasting?: true;
}

type Act = (operations: Operations, app: string, body: string) => Promise<unknown>;

const APP = /^\/apps\/([^/]+)\/(restart|scale|stacks)$/;

const ACTS: Readonly<Record<string, Act>> = {
  "GET /status": (operations) => operations.status(),
  "GET /apps/:app/stacks": async (operations, app) => fitting(await operations.stacks(app)),
  "POST /reload": (operations) => operations.reload(),
  "POST /stop": async (operations) => operations.stop(),
  "POST /apps/:app/restart": (operations, app) => operations.restart(app),
  "POST /apps/:app/scale": async (operations, app, body) => operations.scale(app, boundsOf(body)),
};

/** Never rejects: a failure is an answer as well. */
export async function answerControl(operations: Operations, request: ControlRequest): Promise<ControlAnswer> {
  const [, name, verb] = APP.exec(request.path) ?? [];
  const path = name === undefined ? request.path : `/apps/:app/${verb}`;
  const act = ACTS[`${request.method} ${path}`];
  if (!act) return unknown(path);
  try {
    const value = await act(operations, decoded(name ?? ""), request.body);
    return { status: 200, value: value ?? {}, ...(path === "/stop" ? { lasting: true } : {}) };
  } catch (reason) {
    return refused(SallyportError.from(reason));
  }
}

export function refused(error: SallyportError): ControlAnswer {
  return { status: error.status || 500, value: sentErrorOf(error) satisfies SentError };
}

function unknown(path: string): ControlAnswer {
  const methods = Object.keys(ACTS).filter((key) => key.endsWith(` ${path}`));
  if (methods.length > 0)
    return refused(new SallyportError("METHOD_NOT_ALLOWED", `${path} is for ${methods.join(", ")}`));
  return refused(new SallyportError("NOT_FOUND", `there is only ${Object.keys(ACTS).join(", ")}`));
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new SallyportError("BAD_REQUEST", "the name of the app is not properly percent-encoded");
  }
}

const FORM = 'the body must be {"min": N, "max": N}, whole numbers with 0 <= min <= max and 1 <= max';

/** Throws BAD_REQUEST. */
function boundsOf(body: string): ProcessBounds {
  const { min, max } = objectIn(body);
  if (isBounds(min, max)) return { min, max } as ProcessBounds;
  throw new SallyportError("BAD_REQUEST", FORM);
}

function objectIn(body: string): { readonly min?: unknown; readonly max?: unknown } {
  try {
    return Object(JSON.parse(body));
  } catch (cause) {
    throw new SallyportError("BAD_REQUEST", FORM, { cause });
  }
}

/** Processes of one app, as `processes` may be. */
const MOST = 1_000_000;

const isBounds = (min: unknown, max: unknown): boolean =>
  Number.isSafeInteger(min) &&
  Number.isSafeInteger(max) &&
  (min as number) >= 0 &&
  (max as number) >= Math.max(1, min as number) &&
  (max as number) <= MOST;
