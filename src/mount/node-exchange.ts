// One request of a node server, answered with node's own response: HTTP/1, or HTTP/2 by its compatibility API.
// Tested by test/mount/node-response.test.ts.
import type { ServerResponse } from "node:http";
import { constants, type Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import {
  bytesOf,
  type Headers,
  hasBody,
  type RequestBody,
  type ResponseBody,
  type ResponseHead,
  SallyportError,
  takesTrailers,
} from "../exchange/index.ts";
import { bytesLeft } from "../sockets/bytes-left.ts";
import { resetSocket } from "../sockets/reset.ts";
import { MountedBody } from "./mounted-body.ts";
import { MountedExchange, outgoingFields } from "./mounted-exchange.ts";
import type { NodeHead, NodeRequest } from "./node-head.ts";
import { addTrailers, cut, flushHead, listed, type NodeResponse, writeHead } from "./node-response.ts";
import type { MountSettings } from "./options.ts";
import { whenSocketCloses } from "./pipelined.ts";
import type { Progress } from "./stall-watch.ts";

/** The arguments of a handler of the host. */
export interface NodeCall {
  readonly req: NodeRequest;
  readonly res: ServerResponse | Http2ServerResponse;
  /** Gets requests that are not found here; undefined when none may be passed on. */
  readonly next: (() => void) | undefined;
}

export class NodeExchange extends MountedExchange {
  readonly #res: NodeResponse;
  readonly #next: (() => void) | undefined;
  /** The connection; of HTTP/2 node's stand-in for it. */
  readonly #socket: Socket;
  /** Bytes of body that the host was given. */
  #given = 0;
  /** The head waits for the first piece of the body until the turn of the loop is over. */
  #headWaits = false;

  constructor({ req, res, next }: NodeCall, head: NodeHead, body: RequestBody, settings: MountSettings) {
    super(head.request, head.mount, body, settings);
    this.#res = res as NodeResponse;
    this.#next = next;
    this.#socket = req.socket;
    if (body instanceof MountedBody) this.whenClosed((outcome) => body.exchangeClosed(outcome));
    this.#listen(req);
  }

  override get takesTrailers(): boolean {
    return takesTrailers(this.request.version, this.request.headers);
  }

  protected override admits(head: ResponseHead): boolean {
    if (!this.#isOurs() || this.#passesOn(head)) return false;
    return super.admits(head);
  }

  protected override sendInform(head: ResponseHead): void {
    const { status, headers } = head;
    if ((status !== 102 && status !== 103) || !this.admitsInform(head)) return;
    try {
      if (status === 102) this.#res.writeProcessing();
      else this.#res.writeEarlyHints(listed(headers) as { link: string | string[] });
    } catch (error) {
      this.log.warn(`an informational response was dropped: ${(error as Error).message}`, { status });
    }
  }

  protected sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean): void {
    // Bytes: with a string node would send the head as UTF-8, too.
    const bytes = bytesOf(body);
    if (!this.#sendsHead(head, outgoingFields(head, bytes.length, bodyless))) return;
    this.#given = bytes.length;
    if (bytes.length === 0) this.#res.end();
    else this.#res.end(bytes);
  }

  protected sendHead(head: ResponseHead, length: number, bodyless: boolean): void {
    if (!this.#sendsHead(head, outgoingFields(head, length, bodyless))) return;
    this.#headWaits = true;
    process.nextTick(() => this.#flush());
  }

  protected give(chunk: Uint8Array): boolean {
    this.#headWaits = false;
    this.#given += chunk.length;
    return this.#res.write(chunk);
  }

  protected sendEnd(trailers: Headers | undefined): void {
    this.#headWaits = false;
    const sent = trailers && this.admitted(trailers);
    if (sent) addTrailers(this.#res, sent);
    this.#res.end();
  }

  protected sendCut(): void {
    this.#flush();
    cut(this.#res);
  }

  protected get waits(): boolean {
    return !this.#res.writableFinished && !this.#res.destroyed;
  }

  protected progress(): Progress | undefined {
    const { stream, writableLength } = this.#res;
    if (!stream) return this.#res.socket ? { own: bytesLeft(this.#socket), shared: 0 } : undefined;
    if (stream.destroyed || stream.writableFinished) return undefined;
    return { own: this.#given - writableLength, shared: bytesLeft(this.#socket) };
  }

  protected abandon(): void {
    const { stream } = this.#res;
    if (stream) stream.close(constants.NGHTTP2_CANCEL);
    else resetSocket(this.#socket);
  }

  #listen(req: NodeRequest): void {
    const left = (): void => this.lost(new SallyportError("CLIENT_LEFT", "the client closed the connection"));
    this.#res.on("drain", () => this.drained());
    this.#res.on("finish", () => this.sent());
    this.#res.on("close", () => this.sent());
    this.#res.on("close", left);
    this.#res.on("error", left);
    if (this.#res.destroyed || this.#res.stream?.destroyed) left();
    if (this.request.version === "2" || this.#res.socket) return;
    this.#heed(req.socket, left);
  }

  /** A response that waits behind another one has no socket yet. */
  #heed(socket: Socket, left: () => void): void {
    const forget = whenSocketCloses(socket, () => {
      left();
      this.sent();
    });
    for (const end of ["finish", "close"]) this.#res.once(end, forget);
  }

  #flush(): void {
    if (!this.#headWaits) return;
    this.#headWaits = false;
    flushHead(this.#res, hasBody(this.request.method, this.#res.statusCode));
  }

  /** A wrapper of the host around its response may throw, but never into the gateway. */
  #sendsHead(head: ResponseHead, fields: Headers): boolean {
    try {
      writeHead(this.#res, head, fields);
      return true;
    } catch (cause) {
      this.log.error(`the host could not send a response: ${(cause as Error).message}`, {
        target: this.request.target,
      });
      cut(this.#res);
      this.lost(new SallyportError("INTERNAL", "the host could not send the response", { cause }));
      return false;
    }
  }

  /** False when the host has already answered, for example by a timeout of its own. */
  #isOurs(): boolean {
    if (this.closed || !(this.#res.headersSent || this.#res.writableEnded)) return true;
    const error = new SallyportError("INTERNAL", "the host answered before the mounted gateway did");
    this.log.warn(error.message, { code: error.code, target: this.request.target });
    this.lost(error);
    return false;
  }

  #passesOn({ status }: ResponseHead): boolean {
    if (status !== 404 || !this.#next || this.closed || this.body.length !== 0) return false;
    this.lost(new SallyportError("NOT_FOUND", "not found here, and passed on to the host's next handler"));
    this.#next();
    return true;
  }
}
