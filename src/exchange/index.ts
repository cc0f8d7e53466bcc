// What the other rooms import from the exchange.

export { BaseExchange, errorHead, errorText, hasBody } from "./base-exchange.ts";
export { type BodySource, NO_BODY, PushedBody, WholeBody } from "./body.ts";
export { ERRORS, type ErrorCode, type ErrorName, type Fault, SallyportError } from "./errors.ts";
export { EVENT_STREAM_GRACE, EventStream, isEventStream } from "./events.ts";
export type {
  Acceptance,
  Address,
  AuthenticatedUser,
  ClientCertificate,
  Exchange,
  FilterData,
  Gateway,
  Handler,
  Handshake,
  Leaving,
  Listener,
  Outcome,
  RequestBody,
  RequestFacts,
  RequestHead,
  ResponseHead,
  TlsFacts,
  WebSocketReceiver,
  WebSocketSession,
} from "./exchange.ts";
export {
  type Headers,
  HIGHEST_STATUS,
  HOP_BY_HOP,
  header,
  headerValues,
  isFieldValue,
  isToken,
  takesTrailers,
} from "./headers.ts";
export { bytesOf, HeadLines, KNOWN, Latin1, type ResponseBody, sizeOf } from "./lines.ts";
export { firstRequest, localRedirect } from "./local-redirect.ts";
export { type Log, type LogFields, record, silentLog } from "./log.ts";
export { Reloads } from "./reloads.ts";
export { type AccessParts, Repeated, repeatedOf } from "./repeated.ts";
export { Running, withInner } from "./running.ts";
export { type Spooled, type SpoolOptions, spool } from "./spool.ts";
export {
  type GatewayStatus,
  type Load,
  type ProcessBounds,
  type ProcessStacks,
  type ProcessState,
  type ProcessStatus,
  type RequestStack,
  type StackFrame,
  statusInProcess,
  statusWithoutProcesses,
  totalLoad,
} from "./status.ts";
export { type Phases, phasesOf, Trace } from "./trace.ts";

// Earlier names, kept until 1.0.
import { BaseExchange } from "./base-exchange.ts";
import { localRedirect } from "./local-redirect.ts";

/** @deprecated It is called `BaseExchange` now. */
export const ServedExchange: typeof BaseExchange = BaseExchange;
/** @deprecated It is called `localRedirect` now. */
export const redirected: typeof localRedirect = localRedirect;
