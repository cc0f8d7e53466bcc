// The vocabulary of the conformance suite: the client's request, the application's behaviour, the expected answer. All of it is
// data, so that an application in any language and any runner can take part.
import type { Headers } from "../exchange/index.ts";

/** Bytes as data: text of latin-1 characters, or `size` bytes of the pattern 0, 1, ... 250, 0, 1, ... */
export type Bytes = string | { readonly size: number };

/** Abilities that not every half has. A case names those that it needs, the runner's options those that are missing. */
export const CAPABILITIES = {
  mount: "the application also answers below /mounted, and sees that as its mount",
  informs: "informational responses (1xx) pass",
  requestTrailers: "trailers of requests pass",
  responseTrailers: "trailers of responses pass",
  anyMethod: "methods that nobody has registered pass",
  traceMethod: "TRACE passes",
  anyPath: "dot segments of a path arrive as they were sent",
  asterisk: "OPTIONS * passes",
  bodyOnGet: "a GET request may have a body",
  resetContent: "205 passes with an empty body",
  exactReason: "a reason phrase that is not the usual one passes",
  streamsUpload: "the application reads a body of known length before it is complete",
  streamsChunks: "the application reads a chunked body before it is complete",
  duplex: "the application answers a piece of the body before the next one is sent",
  lazyContinue: "100 Continue is only sent when the application reads",
  halfClose: "a client may end its side of the connection and is still answered",
  holdsBack: "the application is made to wait for a client that does not read",
  tellsLeaving: "an application that waits learns that its client has left",
  checksFields: "the application gives its header as a structure, so that line breaks in it are seen",
} as const;

export type Capability = keyof typeof CAPABILITIES;

export interface Request {
  /** Default: GET, or POST with a body. */
  readonly method?: string;
  /** Default: "/". */
  readonly target?: string;
  readonly version?: "1.0" | "1.1";
  /** Besides Host and the framing of the body; a Host given here replaces the usual one. */
  readonly headers?: Headers;
  readonly body?: Bytes;
  /** Bytes in each chunk; without it the body has a Content-Length. */
  readonly chunk?: number;
  /** Only with `chunk`. */
  readonly trailers?: Headers;
}

interface Head {
  /** Default: 200. */
  readonly status?: number;
  readonly reason?: string;
  readonly headers?: Headers;
}

/** How an application behaves; it finds this in its request, see CONFORMANCE_FIELD. */
export type Behaviour =
  /** The whole response at once. The request body is not read. `informs` (statuses) come first where that is possible. */
  | (Head & { readonly kind: "answer"; readonly body?: Bytes; readonly informs?: readonly number[] })
  /**
   * One piece after the other, each handed over by itself. `gated`: after piece n, counted from 1, it waits for the note
   * "piece-n". At last the response ends, or the application fails.
   */
  | (Head & {
      readonly kind: "stream";
      readonly pieces: readonly Bytes[];
      readonly gated?: boolean;
      readonly ending?: "end" | "fail";
      readonly trailers?: Headers;
    })
  /** The request body, piece by piece as it comes, without a length. */
  | { readonly kind: "echo" }
  /** The request as the application sees it, as JSON: see Seen. The body is read to its end. */
  | { readonly kind: "describe" }
  /** Fails before it has given a head: an exception, a rejection, an exit. */
  | { readonly kind: "fail" }
  /** Reads the body to its end and notes "received" at the first piece, and then "complete", or else "left". */
  | { readonly kind: "absorb" }
  /** Pieces of 64 KiB for as long as they are taken, a byte in the note "pieces" for each; then the note "left". */
  | { readonly kind: "endless" }
  /** Notes "running" and never answers. When it learns that the client has left: the note "left". */
  | { readonly kind: "hang" };

/** A request as the application saw it. Names in lower case, repeated fields joined; each character is one byte. */
export interface Seen {
  readonly method: string;
  /** Decoded. */
  readonly mount: string;
  /** The rest of the path after the mount, decoded. */
  readonly path: string;
  readonly query: string;
  /** Path and query as the client wrote them. */
  readonly target: string;
  readonly scheme: string;
  readonly authority: string;
  readonly remote: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of body that were announced; null when none were. */
  readonly length: number | null;
  /** Bytes of body that were read. */
  readonly size: number;
  /** Whether a header became the variable HTTP_PROXY. */
  readonly proxied: boolean;
  readonly trailers: Readonly<Record<string, string>>;
}

/** The expected part of `Seen`; other members are not compared. A header or trailer that is null must be absent. */
export type ExpectedSeen = Partial<Omit<Seen, "headers" | "trailers">> & {
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly trailers?: Readonly<Record<string, string | null>>;
};

/** The expected outcome; members that are left out are not compared. */
export interface Expected {
  /** One of these. */
  readonly status?: number | readonly number[];
  readonly reason?: string;
  /** Names in lower case. Text: the values, joined by ", ". A list: exactly these values. null: the field is absent. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly body?: Bytes;
  readonly seen?: ExpectedSeen;
  /** Text that must not be in the body. */
  readonly without?: readonly string[];
  /** False: the response must be cut so that the client can see it. Default true. */
  readonly complete?: boolean;
  /** How the end of the response is found. */
  readonly framing?: "none" | "length" | "chunked" | "close";
  readonly informs?: readonly number[];
  readonly trailers?: Readonly<Record<string, string>>;
  /** Whether the connection can be used again. */
  readonly persistent?: boolean;
  /** Notes that the application must make, sooner or later. */
  readonly noted?: readonly string[];
  /** Notes that it must not have made by then. */
  readonly notNoted?: readonly string[];
}

/** How the client behaves. */
export type ClientBehaviour =
  /** Sends the whole request, and reads the whole answer. */
  | "plain"
  /** Sends all requests of the case at once. */
  | "pipelines"
  /** Ends its side after the request, and continues like "unlocksPieces". */
  | "endsItsSide"
  /** Sends the body after 100 Continue; none when it is answered first. */
  | "awaitsContinue"
  /** Adds the notes "piece-1", "piece-2", ... each once all pieces so far have arrived, for a `gated` application. */
  | "unlocksPieces"
  /** Sends half of the body, and the rest once the application has noted "received". */
  | "pausesUpload"
  /** Sends the body chunk by chunk, each once the one before it has been echoed. */
  | "pingsAndPongs"
  /** Sends half of the body, and hangs up once the application has noted "received". */
  | "leavesMidUpload"
  /** Hangs up once the application has noted "running". */
  | "leavesBeforeHead"
  /** Reads a part of the body, and hangs up. */
  | "leavesMidResponse"
  /** Reads no body until the application has stopped writing, and hangs up. */
  | "stalls";

/** One request of a case. */
export interface Step {
  readonly request: Request;
  readonly app: Behaviour;
  /** A list where more than one outcome is right. */
  readonly expected: Expected | readonly Expected[];
}

/** One rule that every server must follow. */
export interface Case extends Step {
  /** The rule as a sentence. */
  readonly name: string;
  readonly needs?: readonly Capability[];
  readonly client?: ClientBehaviour;
  /** Further requests, on the same connection if it can still be used. */
  readonly next?: readonly Step[];
}

/**
 * The request header with the application's script: `Behaviour` as JSON in base64url, with one more member, `notes`: a prefix
 * that the name of each note is appended to for the path of its file.
 */
export const CONFORMANCE_FIELD = "X-Conformance";

export type AppScript = Behaviour & { readonly notes: string };
