// Records every request to a door, and tells the page which recording is its own: by a header of the response.
// Tested by test/demo/demonstration.test.ts.
import {
  type Exchange,
  errorHead,
  errorText,
  type Gateway,
  header,
  type Log,
  type ResponseBody,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { WrappedExchange } from "../exchange/wrapped-exchange.ts";
import type { Recording } from "../inspect/captured-exchange.ts";
import { Captures } from "../inspect/captures.ts";
import { shownRecording } from "../inspect/shown.ts";
import type { InspectedServer, ServerInspection } from "../server/interface.ts";
import type { ServingProcess } from "./door.ts";
import type { DoorGateway, DoorTrace } from "./door-gateway.ts";
import { LOAD_HEADER } from "./load-messages.ts";

/** Of responses. */
export const RECORDING_HEADER = "Sallyport-Recording";

export class Recordings implements ServerInspection {
  readonly #captures = new Captures();
  readonly #traces = new WeakMap<Recording, DoorTrace>();
  readonly #doors: ReadonlyMap<string, DoorGateway>;
  readonly #server: InspectedServer;

  constructor(doors: ReadonlyMap<string, DoorGateway>, server: InspectedServer) {
    this.#doors = doors;
    this.#server = server;
  }

  around(gateway: Gateway, app: string): Gateway {
    return { handle: (exchange) => this.#handle(gateway, app, exchange) };
  }

  /** There is no admin listener that could ask. */
  async answer(): Promise<never> {
    throw new SallyportError("NOT_FOUND", "the demonstration has no admin listener");
  }

  /** A recording with its process. Rejects with NOT_FOUND. */
  async view(id: number): Promise<object & { readonly process: ServingProcess | undefined }> {
    const recording = this.#captures.find(id);
    const view = await shownRecording(recording, this.#server);
    return { ...view, process: this.#traces.get(recording)?.process };
  }

  #handle(gateway: Gateway, app: string, exchange: Exchange): void {
    const door = this.#doors.get(app);
    if (!door) return gateway.handle(exchange);
    const isLoad = header(exchange.request.headers, LOAD_HEADER) !== undefined;
    const trace = door.trace(!isLoad);
    exchange.trace = trace;
    gateway.handle(isLoad || exchange.handshake ? exchange : this.#recorded(exchange, app, trace));
  }

  #recorded(exchange: Exchange, app: string, trace: DoorTrace): Exchange {
    const marked = new MarkedExchange(exchange, this.#server.log);
    const captured = this.#captures.capture(marked, app);
    marked.id = captured.recording.id;
    this.#traces.set(captured.recording, trace);
    return captured;
  }
}

/** Its response says which recording it is in. */
class MarkedExchange extends WrappedExchange {
  readonly #log: Log;
  id = 0;

  constructor(exchange: Exchange, log: Log) {
    super(exchange);
    this.#log = log;
  }

  override respond(head: ResponseHead, body: ResponseBody): void {
    super.respond(this.#marked(head), body);
  }

  override start(head: ResponseHead): void {
    super.start(this.#marked(head));
  }

  /** An error response has the header, too: so it is made here. */
  override fail(error: SallyportError): void {
    if (this.closed || this.started || error.status === 0) return super.fail(error);
    const { code, fault, detail } = error;
    this.#log[fault === "client" ? "info" : "error"](error.message, { code, fault, detail });
    super.respond(this.#marked(errorHead(error)), errorText(error));
  }

  #marked({ status, reason, headers }: ResponseHead): ResponseHead {
    return { status, reason, headers: [...headers, RECORDING_HEADER, `${this.id}`] };
  }
}
