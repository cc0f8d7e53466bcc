// permessage-deflate (RFC 7692): the offers that we accept, and compressors that live no longer than a message.
// Tested by test/websocket/cases.test.ts.
import { library, type Parameters, type PerMessageDeflate } from "./library.ts";
import type { WebSocketLimits } from "./limits.ts";

export const NAME = "permessage-deflate";

/** An agreement with the client. */
export interface Deflate {
  /** The value of Sec-WebSocket-Extensions in the response. */
  readonly field: string;
  /** Compressors for one direction, made on demand: they take a quarter of a megabyte. */
  make(): PerMessageDeflate;
}

/** Accepts the first offer that is understood; the others are declined (RFC 7692, 5 and 7.1). */
export function agree(offers: readonly Parameters[], limits: WebSocketLimits): Deflate | undefined {
  for (const offer of offers) {
    const deflate = accepted(offer, limits);
    if (deflate) return deflate;
  }
  return undefined;
}

function accepted(offer: Parameters, limits: WebSocketLimits): Deflate | undefined {
  // zlib cannot use a window of 2^8 bytes, and silently takes 2^9.
  if (offer.server_max_window_bits?.includes("8")) return undefined;
  try {
    const terms = Object.entries(made(limits).accept([{ ...offer }]));
    const field = terms
      .map(([name, value]) => (value === true ? `; ${name}` : `; ${name}=${value}`))
      .join("");
    return { field: NAME + field, make: () => agreed(offer, limits) };
  } catch {
    return undefined;
  }
}

function agreed(offer: Parameters, limits: WebSocketLimits): PerMessageDeflate {
  const deflate = made(limits);
  deflate.accept([{ ...offer }]);
  return deflate;
}

/** Without context takeover a compressor has no state to keep between messages. */
const made = ({ message, compressFrom }: WebSocketLimits): PerMessageDeflate =>
  new (library().PerMessageDeflate)({
    isServer: true,
    maxPayload: message,
    threshold: compressFrom,
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
  });

/** Compressors for sending that are freed after each message. The library limits how many work at once. */
export function transient(deflate: PerMessageDeflate): PerMessageDeflate {
  const { compress } = deflate;
  deflate.compress = (data, last, done) =>
    compress.call(deflate, data, last, (error, result) => {
      if (last) deflate.cleanup();
      done(error, result);
    });
  return deflate;
}
