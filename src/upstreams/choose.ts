// Several addresses of one application: the least busy is tried first, one that failed lately is tried last, and none is ever
// given up, so that recovery needs no restart. For the gateways of FastCGI, SCGI and uwsgi.
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Log, SallyportError, silentLog } from "../exchange/index.ts";
import { type ConnectionReader, connectTo, parseUpstream, type UpstreamAddress } from "./connect.ts";

export interface UpstreamOptions {
  /** Milliseconds for a connection to be established; 0 for no limit but the system's. Default 5 s. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds for which an upstream that could not be reached is tried after all others. Default 5 s. */
  readonly rest?: number | undefined;
  readonly log?: Log | undefined;
}

const CONNECT_TIMEOUT = 5_000;
const BACK_OFF = 5_000;
/** Milliseconds between attempts while the application's queue of connections is full. */
const QUEUE_PAUSES: readonly number[] = [5, 10, 20, 50, 100, 200, 400];

/** One address of the application. */
export class Upstream {
  /** Its address as configured, for logs and errors. */
  readonly name: string;
  readonly #address: UpstreamAddress;
  readonly #connectTimeout: number;
  readonly #backOff: number;
  #busy = 0;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(name: string, { connectTimeout, rest }: UpstreamOptions = {}) {
    this.name = name;
    this.#address = parseUpstream(name);
    this.#connectTimeout = connectTimeout ?? CONNECT_TIMEOUT;
    this.#backOff = rest ?? BACK_OFF;
  }

  /** Requests under way. */
  get busy(): number {
    return this.#busy;
  }

  /** Whether it could not be reached lately. */
  get backingOff(): boolean {
    return performance.now() - this.#failedAt < this.#backOff;
  }

  /** Counts a request as under way until the returned function is called. */
  enter(): () => void {
    this.#busy++;
    let underWay = true;
    return () => {
      if (underWay) this.#busy--;
      underWay = false;
    };
  }

  /**
   * A new connection; `reader` as for `connectTo`. A full queue of connections is soon shorter: it is no failure yet. Rejects
   * with UPSTREAM_BUSY when it stays full, or UPSTREAM_UNREACHABLE; both name the address.
   */
  async connect(reader?: ConnectionReader): Promise<Socket> {
    for (const pause of QUEUE_PAUSES) {
      try {
        return await this.connectNow(reader);
      } catch (error) {
        if (!isBusy(error)) throw error;
        await delay(pause);
      }
    }
    return this.connectNow(reader);
  }

  /** As `connect`, but a full queue is not waited for. */
  async connectNow(reader?: ConnectionReader): Promise<Socket> {
    try {
      const socket = await connectTo(this.#address, this.#connectTimeout, reader);
      this.#failedAt = Number.NEGATIVE_INFINITY;
      return socket;
    } catch (error) {
      this.#failedAt = performance.now();
      const { message, cause } = SallyportError.from(error);
      if (isQueueFull(cause))
        throw new SallyportError("UPSTREAM_BUSY", `the queue of connections to ${this.name} is full`);
      throw new SallyportError("UPSTREAM_UNREACHABLE", `cannot connect to ${this.name}: ${message}`, {
        cause,
      });
    }
  }
}

/** All addresses of one application. */
export class Upstreams {
  readonly all: readonly Upstream[];
  readonly #log: Log;
  #turn = 0;

  /** Throws CONFIG_INVALID when there is no address or one is malformed. */
  constructor(addresses: string | readonly string[], options: UpstreamOptions = {}) {
    const names = typeof addresses === "string" ? [addresses] : addresses;
    if (names.length === 0)
      throw new SallyportError("CONFIG_INVALID", "no address of the application is given");
    this.all = names.map((name) => new Upstream(name, options));
    this.#log = options.log ?? silentLog;
  }

  /** The order in which to try them: those that did not fail lately first, then the least busy, and equals in turn. */
  inOrder(): Upstream[] {
    const from = this.#turn++ % this.all.length;
    const rotated = [...this.all.slice(from), ...this.all.slice(0, from)];
    return rotated.sort((a, b) => Number(a.backingOff) - Number(b.backingOff) || a.busy - b.busy);
  }

  /**
   * A new connection to the first in order that gives one; it counts as busy until the socket closes. Nothing of the
   * request has been sent yet, so trying the next is always safe. Where the only hope is one whose queue is full, that one is
   * waited for. Rejects with UPSTREAM_UNREACHABLE that names them all, or UPSTREAM_BUSY.
   */
  async connect(): Promise<Socket> {
    const failures: string[] = [];
    let full: Upstream | undefined;
    for (const upstream of this.inOrder()) {
      try {
        return await entered(upstream, upstream.connectNow());
      } catch (error) {
        if (isBusy(error)) full ??= upstream;
        failures.push(SallyportError.from(error).message);
        if (failures.length < this.all.length)
          this.#log.warn("an upstream failed, the next is asked", { reason: failures.at(-1) });
      }
    }
    if (full) return entered(full, full.connect());
    throw new SallyportError("UPSTREAM_UNREACHABLE", failures.join("; "));
  }
}

/** Linux: a Unix socket whose listen queue is full. */
const isQueueFull = (cause: unknown): boolean =>
  (cause as NodeJS.ErrnoException | undefined)?.code === "EAGAIN";

const isBusy = (error: unknown): boolean => SallyportError.from(error).code === "ERR_SALLYPORT_UPSTREAM_BUSY";

async function entered(upstream: Upstream, connecting: Promise<Socket>): Promise<Socket> {
  const leave = upstream.enter();
  try {
    const socket = await connecting;
    socket.once("close", leave);
    return socket;
  } catch (error) {
    leave();
    throw error;
  }
}
