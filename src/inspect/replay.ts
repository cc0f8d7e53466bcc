// A captured request, given to an app again as a new exchange, which has no client: nothing is sent anywhere.
// Tested by test/admin/inspection.test.ts.
import { BaseExchange } from "../exchange/base-exchange.ts";
import { WholeBody } from "../exchange/body.ts";
import { takesTrailers } from "../exchange/headers.ts";
import { type Log, type RequestBody, type RequestHead, SallyportError } from "../exchange/index.ts";
import type { Recording } from "./captured-exchange.ts";

export class ReplayedExchange extends BaseExchange {
  readonly body: RequestBody;

  constructor(request: RequestHead, mount: string, body: Buffer, log: Log) {
    super(request, log);
    this.body = new WholeBody(body);
    this.mount = mount;
  }

  /** As it was for the client. */
  override get takesTrailers(): boolean {
    return takesTrailers(this.request.version, this.request.headers);
  }

  // The recording keeps the response.
  protected sendWhole(): void {}
  protected sendHead(): void {}
  protected sendChunk(): boolean {
    return true;
  }
  protected sendEnd(): void {}
  protected sendCut(): void {}
}

/** The request of `recording` as a new exchange, with its true fields. Throws NOT_REPLAYABLE. */
export function replayedExchange(recording: Recording, log: Log): ReplayedExchange {
  const { id, request, mount, body } = recording;
  if (body.cut)
    throw notReplayable(
      id,
      `only the first ${body.bytes.length} of the ${body.size} bytes of its body are kept`,
    );
  if (!isWhole(recording))
    throw notReplayable(
      id,
      "its body was not read to the end; wait until it is over, or send it with a client",
    );
  return new ReplayedExchange(request, mount, body.bytes, log);
}

const isWhole = ({ body, bodyLength, bodyEnded }: Recording): boolean =>
  bodyEnded || body.size === bodyLength;

const notReplayable = (id: number, why: string): SallyportError =>
  new SallyportError("NOT_REPLAYABLE", `the request of recording ${id} cannot be sent again: ${why}`);
