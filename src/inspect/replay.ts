// A captured request, given to an app again as a new exchange, which has no client: nothing is sent anywhere. It ends, as if its
// client left, when its recording keeps no more, or nobody can look at it, or after a time: a response may have no end.
import { BaseExchange } from "../exchange/base-exchange.ts";
import { WholeBody } from "../exchange/body.ts";
import { takesTrailers } from "../exchange/headers.ts";
import { type Log, type RequestBody, type RequestHead, SallyportError } from "../exchange/index.ts";
import type { Recording } from "./captured-exchange.ts";

/** Milliseconds that a replay may take. */
export const REPLAY_TIMEOUT = 60_000;

export class ReplayedExchange extends BaseExchange {
  readonly body: RequestBody;
  /** Bytes that the recording still keeps. */
  #room: number;

  /** `most`: bytes of the response that its recording keeps. */
  constructor(request: RequestHead, mount: string, body: Buffer, most: number, log: Log) {
    super(request, log);
    this.body = new WholeBody(body);
    this.mount = mount;
    this.#room = most;
    const clock = setTimeout(() => this.giveUp(`it took ${REPLAY_TIMEOUT / 1000} s`), REPLAY_TIMEOUT).unref();
    this.whenClosed(() => clearTimeout(clock));
  }

  /** Ends it as a client ends a request that leaves. */
  giveUp(why: string): void {
    this.lost(new SallyportError("CLIENT_LEFT", `the replay was ended: ${why}`));
  }

  /** As it was for the client. */
  override get takesTrailers(): boolean {
    return takesTrailers(this.request.version, this.request.headers);
  }

  // The recording keeps the response.
  protected sendWhole(): void {}
  protected sendHead(): void {}
  /** Takes a piece in each turn of the loop, as a client would: an application that never pauses must not hold the loop. */
  protected sendChunk(chunk: Uint8Array): boolean {
    this.#room -= chunk.length;
    setImmediate(() => (this.#room < 0 ? this.giveUp("its recording keeps no more") : this.drained()));
    return false;
  }
  protected sendEnd(): void {}
  protected sendCut(): void {}
}

/**
 * The request of `recording` as a new exchange, with its true fields; `most` bytes of the response are kept. Throws
 * NOT_REPLAYABLE.
 */
export function replayedExchange(recording: Recording, most: number, log: Log): ReplayedExchange {
  const { id, request, mount, body, facts } = recording;
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
  if (facts?.filterData) throw notReplayable(id, "the file that a FastCGI Filter got with it is not kept");
  return new ReplayedExchange(request, mount, body.bytes, most, log);
}

const isWhole = ({ body, bodyLength, bodyEnded }: Recording): boolean =>
  bodyEnded || body.size === bodyLength;

const notReplayable = (id: number, why: string): SallyportError =>
  new SallyportError("NOT_REPLAYABLE", `the request of recording ${id} cannot be sent again: ${why}`);
