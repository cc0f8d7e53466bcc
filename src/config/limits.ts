// The configuration's section `limits`: the listeners' own limits, under their own names, all of them.
// Tested by test/config/config.test.ts.

import { SOCKET_LIMITS, type SocketLimits } from "../cgi/socket/limits.ts";
import { DISK_LIMIT } from "../exchange/disk.ts";
import { mayBeNone } from "../exchange/time-limits.ts";
import { HTTP_LIMITS, type HttpLimits } from "../http/limits.ts";
import { FASTCGI_LIMITS, type FastcgiLimits } from "../protocols/fastcgi/limits.ts";
import { STREAM_LIMITS as HTTP2_LIMITS, type StreamLimits } from "../protocols/http2/limits.ts";
import { WEBSOCKET_LIMITS, type WebSocketLimits } from "../websocket/limits.ts";
import { about, count, flag, positiveTime, section, size, time } from "./schema.ts";
import { sizeText, timeText } from "./units.ts";
import type * as z from "./zod.ts";

const bytes = (key: keyof HttpLimits) => size().prefault(sizeText(HTTP_LIMITS[key]));
/** Where 0 cannot mean "none" (exchange/time-limits.ts), it is refused. */
const timeFor = (key: string) => (mayBeNone(key) ? time() : positiveTime());
const wait = (key: keyof HttpLimits) => timeFor(key).prefault(timeText(HTTP_LIMITS[key]));

const http = {
  target: about(bytes("target"), "bytes of a request target; then 414"),
  headerBytes: about(bytes("headerBytes"), "bytes of all request headers; then 431"),
  headerCount: about(count().prefault(HTTP_LIMITS.headerCount), "request header lines; then 431"),
  body: about(bytes("body"), "bytes of a request body, in every protocol; then 413"),
  chunkLine: about(bytes("chunkLine"), "bytes of one chunk-size line; then 400"),
  chunkExtensions: about(bytes("chunkExtensions"), "bytes of all chunk extensions of a request; then 400"),
  pipelined: about(bytes("pipelined"), "bytes of pipelined requests that wait; then reading pauses"),
  unsent: about(bytes("unsent"), "bytes of a response that wait for a slow client; then the app waits"),
  drain: about(bytes("drain"), "bytes of an unwanted body that are read so that the connection can be kept"),
  connections: about(count().prefault(HTTP_LIMITS.connections), "connections at the same time; more get 503"),
  headTimeout: about(wait("headTimeout"), "for a request head to arrive; then 408"),
  bodyTimeout: about(wait("bodyTimeout"), "without a byte of the body, while it is wanted; then 408"),
  idleTimeout: about(wait("idleTimeout"), "that a kept connection may be idle"),
  sendTimeout: about(wait("sendTimeout"), "without progress on a client that does not read; then it is cut"),
  drainTimeout: about(wait("drainTimeout"), "for the rest of an unwanted body; then the connection closes"),
  lingerTimeout: about(wait("lingerTimeout"), "for the client to close after we did; then it is destroyed"),
} satisfies Record<keyof HttpLimits, z.ZodType>;

// The clients of the other protocols are a few trusted web servers, which rarely need other limits: only keys that were
// written are kept, and the listeners have the defaults.

const sizeOf = (bytes: number, description: string) =>
  about(size().exactOptional(), `${description} (${sizeText(bytes)})`);
const timesOf =
  <L extends object>(usual: L) =>
  (key: keyof L & string, description: string) =>
    about(timeFor(key).exactOptional(), `${description} (${timeText(usual[key] as number)})`);
const countOf = (number: number, description: string) =>
  about(count().exactOptional(), `${description} (${number})`);

const F = FASTCGI_LIMITS;
const timeF = timesOf(F);
export const fastcgiLimits = section({
  connections: countOf(F.connections, "connections at the same time; more are closed"),
  requests: countOf(F.requests, "requests at the same time on one connection; more are refused as overload"),
  params: sizeOf(F.params, "bytes of the variables of a request; then 431"),
  buffered: sizeOf(F.buffered, "bytes of bodies that wait unread where requests share a connection"),
  unsent: sizeOf(F.unsent, "bytes of a response that wait for the server; then the app waits"),
  receiveTimeout: timeF("receiveTimeout", "without a byte of a request that is not complete"),
  idleTimeout: timeF("idleTimeout", "that a kept connection may be idle"),
  sendTimeout: timeF("sendTimeout", "without progress on a server that does not read; then it is cut"),
  lingerTimeout: timeF("lingerTimeout", "for the server to close after we did; then it is destroyed"),
} satisfies Record<Exclude<keyof FastcgiLimits, "body">, z.ZodType>);

const S = SOCKET_LIMITS;
const timeS = timesOf(S);
export const socketLimits = section({
  variables: sizeOf(S.variables, "bytes of the variables of a request; then 431"),
  unsent: sizeOf(S.unsent, "bytes of a response that wait for the server; then the app waits"),
  connections: countOf(S.connections, "connections at the same time; more get 503"),
  headTimeout: timeS("headTimeout", "for all variables to arrive; then 408"),
  bodyTimeout: timeS("bodyTimeout", "without a byte of the body, while it is wanted; then 408"),
  sendTimeout: timeS("sendTimeout", "without progress on a server that does not read; then it is cut"),
  halfClosed: timeS("halfClosed", "for a server that has half-closed to show that it still reads"),
  lingerTimeout: timeS("lingerTimeout", "for the server to close after we did; then it is destroyed"),
  cutTimeout: timeS(
    "cutTimeout",
    "of silence by which the server on a Unix socket learns that a response was cut",
  ),
} satisfies Record<Exclude<keyof SocketLimits, "body">, z.ZodType>);

const H2 = HTTP2_LIMITS;
export const http2Limits = section({
  streams: countOf(H2.streams, "requests at once on one connection; more are refused, to be tried again"),
  window: sizeOf(H2.window, "bytes of a body that a client may send before they are read"),
  resets: countOf(
    H2.resets,
    "requests that a client may cancel in ten seconds; from four fifths on its connection takes no new ones, beyond that it ends",
  ),
  controls: countOf(H2.controls, "PING and SETTINGS frames in ten seconds; then the connection ends"),
  invalidFrames: countOf(H2.invalidFrames, "malformed or empty frames on a connection; then it ends"),
} satisfies Record<keyof StreamLimits, z.ZodType>);

const W = WEBSOCKET_LIMITS;
const timeW = timesOf(W);
export const websocketLimits = section({
  message: sizeOf(W.message, "bytes of a message, decompressed; then it is closed with 1009"),
  fragments: countOf(W.fragments, "frames of one message; then it is closed with 1008"),
  unsent: sizeOf(W.unsent, "bytes of messages that wait for a slow client; then the app waits"),
  compress: about(flag().exactOptional(), "whether messages may be compressed, if the client can (true)"),
  compressFrom: sizeOf(W.compressFrom, "bytes from which on a message is compressed"),
  pingInterval: timeW("pingInterval", "between two pings; 0 sends none"),
  pingTimeout: timeW("pingTimeout", "from a ping to any sign of the client; then it counts as gone"),
  closeTimeout: timeW("closeTimeout", "for the client to answer a close, and then to end the connection"),
  sendTimeout: timeW("sendTimeout", "without progress on a client that does not read; then it is cut"),
} satisfies Record<keyof WebSocketLimits, z.ZodType>);

export const limits = section({
  ...http,
  temporary: about(
    size().prefault(sizeText(DISK_LIMIT)),
    "bytes in temporary files, of all clients together; then uploads get 503 and apps wait for slow clients",
  ),
  http2: about(http2Limits.exactOptional(), "limits that only HTTP/2 has, see below"),
  websocket: about(websocketLimits.exactOptional(), "limits of open WebSockets, see below"),
  fastcgi: about(fastcgiLimits.exactOptional(), "limits of FastCGI, see below"),
  scgi: about(socketLimits.exactOptional(), "limits of SCGI, see below"),
  uwsgi: about(socketLimits.exactOptional(), "limits of uwsgi, see below"),
});

/** All limits, in bytes and milliseconds. */
export type Limits = z.output<typeof limits>;
