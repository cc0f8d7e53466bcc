// A recording as a line of the list.
// Tested by test/inspect/view.test.ts.
import type { RecordingSummary } from "../control/inspection.ts";
import { phasesOf } from "../exchange/index.ts";
import type { Recording } from "./captured-exchange.ts";

export function summaryOf({
  id,
  app,
  request,
  head,
  error,
  status: answered,
  over,
  trace,
  response,
  replayOf,
}: Recording): RecordingSummary {
  const { method, target } = request;
  const { total } = phasesOf(trace);
  return {
    id,
    at: performance.timeOrigin + trace.begun,
    app,
    method,
    target,
    status: head?.status ?? answered,
    error: error?.code,
    over,
    duration: total,
    bytes: head ? response.size : 0,
    replayOf,
  };
}
