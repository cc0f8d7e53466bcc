// The error code in the GOAWAY to a client that broke the protocol (RFC 9113, 5.4.1, 7). node:http2 sends INTERNAL_ERROR for
// most of what nghttp2 finds, as if the fault were ours.
// Tested by test/protocols/http2/malformed.test.ts.
import { constants, type ServerHttp2Session } from "node:http2";
import { SallyportError } from "../../exchange/index.ts";

const {
  NGHTTP2_COMPRESSION_ERROR,
  NGHTTP2_ENHANCE_YOUR_CALM,
  NGHTTP2_FLOW_CONTROL_ERROR,
  NGHTTP2_FRAME_SIZE_ERROR,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_STREAM_CLOSED,
} = constants;

/** By the number of nghttp2's error (its manual, `nghttp2_error`); those that are missing here are our own fault. */
const CODES: ReadonlyMap<number | undefined, number> = new Map([
  [-505, NGHTTP2_PROTOCOL_ERROR],
  [-510, NGHTTP2_STREAM_CLOSED],
  [-522, NGHTTP2_FRAME_SIZE_ERROR],
  [-523, NGHTTP2_COMPRESSION_ERROR],
  [-524, NGHTTP2_FLOW_CONTROL_ERROR],
  [-531, NGHTTP2_PROTOCOL_ERROR], // a malformed field
  [-532, NGHTTP2_PROTOCOL_ERROR], // a malformed message
  [-536, NGHTTP2_PROTOCOL_ERROR], // another frame before SETTINGS
  [-537, NGHTTP2_ENHANCE_YOUR_CALM], // too many settings in a frame
  [-902, NGHTTP2_ENHANCE_YOUR_CALM], // too many streams beyond those that may be open at once
  [-903, NGHTTP2_PROTOCOL_ERROR], // no preface
  [-904, NGHTTP2_ENHANCE_YOUR_CALM], // too many answers to PING and SETTINGS that it does not take
  [-905, NGHTTP2_ENHANCE_YOUR_CALM], // too many CONTINUATION frames
]);

/** Ends the session with the code of the client's error. No event comes early enough: node:http2 calls `destroy` itself. */
export function correctGoAwayCodes(session: ServerHttp2Session): void {
  const { destroy } = session;
  session.destroy = (error, code) => destroy.call(session, error, code ?? codeOf(error));
}

/** Why a session ended; undefined when only its connection broke. */
export function reasonOf(error: unknown): SallyportError | undefined {
  const { code, errno, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (!code?.startsWith("ERR_HTTP2_") || code === "ERR_HTTP2_SESSION_ERROR") return undefined;
  const kind = codeOf(error) === undefined ? "INTERNAL" : "BAD_REQUEST";
  const number = errno === undefined ? "" : ` (${errno})`;
  return new SallyportError(kind, `an HTTP/2 connection ended: ${message}${number}`);
}

/** Undefined: node:http2 decides. */
function codeOf(error: unknown): number | undefined {
  const { code, errno } = (error ?? {}) as NodeJS.ErrnoException;
  return code === "ERR_HTTP2_TOO_MANY_INVALID_FRAMES" ? NGHTTP2_ENHANCE_YOUR_CALM : CODES.get(errno);
}
