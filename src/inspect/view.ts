// A recording as the inspector shows it: JSON, bytes as base64, secrets masked. What the application was handed is made again by
// the gateways' own encoders, of what the gateway got.

import type { RecordingSummary } from "../control/inspection.ts";
import { WholeBody } from "../exchange/body.ts";
import {
  type Exchange,
  phasesOf,
  type RequestBody,
  type RequestHead,
  type ResponseHead,
} from "../exchange/index.ts";
import type { InterfaceName } from "../explain/facts.ts";
import { type Handover, type HandoverContext, handoverOf, type WireMessage } from "../explain/handover.ts";
import type { WireField } from "../wire/fields.ts";
import { dissectMessage } from "../wire/message.ts";
import { dissectFrames } from "../workers/dissect.ts";
import type { KeptBytes, Recording } from "./captured-exchange.ts";
import { curlOf } from "./curl.ts";
import { masked, maskedBytes, maskedFields, maskedLines } from "./masking.ts";
import { summaryOf } from "./summary.ts";

/** When each step happened, in milliseconds from the beginning; undefined for one that has not. */
export interface Steps {
  readonly queued: number | undefined;
  readonly handedOver: number | undefined;
  readonly head: number | undefined;
  readonly ended: number | undefined;
}

export interface KeptView {
  readonly bytes: string;
  readonly fields: readonly WireField[];
  /** When each piece came: milliseconds from the beginning. */
  readonly pieces: readonly { readonly at: number; readonly size: number }[];
  /** Of all of it; more than there is in `bytes` when it was cut. */
  readonly size: number;
  readonly cut: boolean;
}

export interface RecordingView extends RecordingSummary {
  readonly interface: InterfaceName | undefined;
  readonly pid: number | undefined;
  readonly steps: Steps;
  readonly phases: ReturnType<typeof phasesOf>;
  readonly request: RequestView;
  readonly handover: Handover | undefined;
  /** What the application sent, as it came. */
  readonly answer: KeptView;
  readonly response: ResponseView | undefined;
  readonly curl: string;
}

interface RequestView {
  readonly method: string;
  readonly url: string;
  readonly version: string;
  readonly headers: readonly string[];
  readonly mount: string;
  readonly remote: string;
  readonly body: KeptView;
}

interface ResponseView {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: KeptView;
}

/** `named`: the interface of the app, undefined where the server answers itself. */
export function viewOf(
  recording: Recording,
  named: InterfaceName | undefined,
  context: HandoverContext,
): RecordingView {
  const { request, mount, trace, head } = recording;
  const shown: RequestHead = { ...request, headers: masked(request.headers), repeated: undefined };
  const url = `${request.scheme}://${request.authority}${request.target}`;
  const bodyBytes = recording.body.bytes;
  const since = (time: number): number | undefined => (time ? time - trace.begun : undefined);
  const kept = keeper(trace.begun);
  return {
    ...summaryOf(recording),
    interface: named,
    pid: trace.pid,
    steps: {
      queued: since(trace.queuedAt),
      handedOver: since(trace.handedOverAt),
      head: since(trace.headAt),
      ended: since(trace.endedAt),
    },
    phases: phasesOf(trace),
    request: {
      method: request.method,
      url,
      version: request.version,
      headers: shown.headers,
      mount,
      remote: request.remote.address,
      body: kept(recording.body, bodyBytes, []),
    },
    handover:
      named &&
      handoverOf(named, stillOf(recording, shown), bodyBytes, {
        ...context,
        length: cutLength(recording.body),
      }),
    answer: answerOf(recording, named, kept),
    response: head && responseOf(head, recording.response, kept),
    curl: curlOf({ method: request.method, url, headers: shown.headers, body: bodyBytes }),
  };
}

const cutLength = ({ cut, size }: KeptBytes): number | undefined => (cut ? size : undefined);

type Keep = (kept: KeptBytes, bytes: Buffer, fields: readonly WireField[]) => KeptView;

const keeper =
  (begun: number): Keep =>
  (kept, bytes, fields) => ({
    bytes: bytes.toString("base64"),
    fields,
    pieces: kept.pieces.map(({ at, size }) => ({ at: at - begun, size })),
    size: kept.size,
    cut: kept.cut,
  });

/** The head that was understood is not enough to find the secrets: of a malformed answer there is none. */
function answerOf(
  { trace, head, refused }: Recording,
  named: InterfaceName | undefined,
  kept: Keep,
): KeptView {
  const { mask, dissect } = (named && ANSWERS[named]) ?? NOTHING;
  const bytes = mask(maskedBytes(trace.answer.bytes, (head ?? refused)?.headers ?? []));
  return kept(trace.answer, bytes, dissect(bytes));
}

/** How the bytes of an answer are masked and read. */
interface AnswerFormat {
  readonly mask: (bytes: Buffer) => Buffer;
  readonly dissect: (bytes: Buffer) => WireMessage["fields"];
}

/** A program may write a status line (nph, uwsgi); mostly it begins with its fields. */
const DOCUMENT: AnswerFormat = {
  mask: maskedLines,
  dissect: (bytes) =>
    dissectMessage(bytes, bytes.toString("latin1", 0, 5) === "HTTP/" ? "status line" : undefined),
};

const FRAMES: AnswerFormat = {
  mask: (bytes) => maskedFields(bytes, dissectFrames(bytes)),
  dissect: dissectFrames,
};

const NOTHING: AnswerFormat = { mask: (bytes) => bytes, dissect: () => [] };

const ANSWERS: Readonly<Partial<Record<InterfaceName, AnswerFormat>>> = {
  cgi: DOCUMENT,
  fastcgi: DOCUMENT,
  scgi: DOCUMENT,
  uwsgi: DOCUMENT,
  wsgi: FRAMES,
  asgi: FRAMES,
};

const responseOf = ({ status, headers }: ResponseHead, body: KeptBytes, kept: Keep): ResponseView => ({
  status,
  headers: masked(headers),
  body: kept(body, body.bytes, []),
});

/** The exchange as the gateway got it, for the encoders: nothing can be answered. */
export function stillOf({ mount, facts, body }: Recording, request: RequestHead): Exchange {
  const ignore = (): void => {};
  const whole: RequestBody = new WholeBody(body.bytes);
  return {
    request,
    mount,
    facts,
    body: whole,
    takesTrailers: false,
    closed: true,
    started: true,
    inform: ignore,
    respond: ignore,
    start: ignore,
    write: () => true,
    end: ignore,
    fail: ignore,
    leave: ignore,
    whenDrained: ignore,
    whenClosed: ignore,
  };
}
