// A load generator written for truth, not for speed: every request is counted once, as answered right or as failed by a
// cause. Each client keeps its connection, and sends POST requests whose answers are checksums of their bodies.
import { randomBytes, randomInt } from "node:crypto";
import { crc32 } from "node:zlib";
import { reportResult } from "../kit/report-progress.ts";
import { type Failure, KeptConnection, type Reply } from "./kept-connection.ts";

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  /** Targets, asked in turn. */
  readonly paths: readonly string[];
  /** Milliseconds for an answer; generous, since this is no measurement. */
  readonly deadline?: number;
  /** The body of a client's request of this number; small ones, mostly, if this is not given. */
  readonly bodyOf?: (client: number, count: number) => Buffer;
}

export interface LoadReport {
  readonly sent: number;
  readonly right: number;
  readonly failed: number;
  readonly causes: Readonly<Record<string, number>>;
  readonly connections: number;
  /** Connections that ended while they were idle, without `Connection: close`; no request was lost. */
  readonly unannounced: number;
  readonly seconds: number;
  /** Times without a right answer that were longer than `NOTICED`. */
  readonly pauses: Pauses;
}

interface Pauses {
  readonly count: number;
  /** Milliseconds. */
  readonly median: number;
  readonly longest: number;
}

const DEADLINE = 60_000;
/** Milliseconds before the next attempt where nobody listens. */
const REFUSED_PAUSE = 20;
/** Milliseconds. */
const NOTICED = 50;
/** Larger than what is kept in memory for a body, so that some wait in a file. */
const LARGE = 100_000;
const BYTES = randomBytes(LARGE);

export class Load {
  readonly #options: LoadOptions;
  readonly #causes = new Map<string, number>();
  readonly #lanes: Promise<void>[];
  readonly #began = performance.now();
  #sent = 0;
  #right = 0;
  #connections = 0;
  #unannounced = 0;
  #stopped = false;
  #rightAt = performance.now();
  /** Milliseconds without a right answer, of those that a person could notice. */
  readonly #pauses: number[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.clients }, (_, i) => this.#lane(i));
  }

  /** Requests that were answered right so far. */
  get right(): number {
    return this.#right;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Failed requests so far. */
  get failed(): number {
    return [...this.#causes.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Requests that are over, right or not. */
  get answered(): number {
    return this.right + this.failed;
  }

  /** Ends after the requests under way. */
  async stop(): Promise<LoadReport> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
    return {
      sent: this.#sent,
      right: this.#right,
      failed: this.failed,
      causes: Object.fromEntries(this.#causes),
      connections: this.#connections,
      unannounced: this.#unannounced,
      seconds: (performance.now() - this.#began) / 1000,
      pauses: pausesOf(this.#pauses),
    };
  }

  async #lane(number: number): Promise<void> {
    let connection: KeptConnection | undefined;
    for (let count = 0; !this.#stopped; count++) {
      if (connection && !connection.open) {
        this.#unannounced++;
        connection = undefined;
      }
      connection ??= await this.#open();
      connection = await this.#request(connection, number, count);
      // Every second client is quick, the others leave their connections idle for moments of different length.
      if (number % 2 === 1) await pause(randomInt(0, 40));
    }
    connection?.destroy();
  }

  #answeredRight(): void {
    this.#right++;
    const now = performance.now();
    if (now - this.#rightAt > NOTICED) this.#pauses.push(now - this.#rightAt);
    this.#rightAt = now;
  }

  async #open(): Promise<KeptConnection | undefined> {
    this.#connections++;
    return KeptConnection.open(this.#options.port);
  }

  /** Gives the connection back if it can be used again. */
  async #request(
    connection: KeptConnection | undefined,
    lane: number,
    count: number,
  ): Promise<KeptConnection | undefined> {
    const { paths, deadline = DEADLINE, bodyOf = smallBody } = this.#options;
    const id = `${lane}-${count}`;
    const body = bodyOf(lane, count);
    this.#sent++;
    const pieces = requestOf(`${paths[count % paths.length]}?${id}`, body, count);
    const reply = (await connection?.ask(pieces, deadline)) ?? "refused";
    const failure = faultOf(reply, `${crc32(body)} ${body.length} ${id}`);
    if (failure === undefined) this.#answeredRight();
    else this.#causes.set(failure, (this.#causes.get(failure) ?? 0) + 1);
    if (reply === "refused") await pause(REFUSED_PAUSE);
    if (typeof reply !== "string" && !reply.last) return connection;
    connection?.destroy();
    return undefined;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function pausesOf(all: readonly number[]): Pauses {
  const sorted = all.toSorted((a, b) => a - b);
  return { count: sorted.length, median: sorted[sorted.length >> 1] ?? 0, longest: sorted.at(-1) ?? 0 };
}

/** Mostly small; some larger than what is kept in memory. */
function smallBody(_client: number, count: number): Buffer {
  if (count % 50 === 7) return BYTES;
  const from = randomInt(0, LARGE - 2_000);
  return BYTES.subarray(from, from + randomInt(0, 2_000));
}

/** Now and then in two pieces, so that the server has to wait for the rest. */
function requestOf(target: string, body: Buffer, count: number): Buffer[] {
  const head = `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
  const whole = Buffer.concat([Buffer.from(head), body]);
  if (count % 10 !== 3) return [whole];
  const middle = Math.floor(whole.length / 2);
  return [whole.subarray(0, middle), whole.subarray(middle)];
}

function faultOf(reply: Reply | Failure, expected: string): Failure | undefined {
  if (typeof reply === "string") return reply;
  if (reply.status !== 200) return `${reply.status} ${/ERR_\w+/.exec(reply.body)?.[0] ?? "without a code"}`;
  return reply.body === expected ? undefined : "wrong";
}

/** "WSGI: 1000 sent, 0 failed; 45 connections, 0 of them closed while idle; 120 a second" */
export function report(name: string, loaded: LoadReport, more = ""): void {
  const { sent, right, failed, causes, connections, unannounced, seconds } = loaded;
  const by = Object.entries(causes).map(([cause, count]) => `${count} ${cause}`);
  reportResult(
    `${name}: ${sent} sent, ${right} answered right, ${failed} failed${by.length > 0 ? ` (${by.join(", ")})` : ""}; ` +
      `${connections} connections, ${unannounced} closed while idle; ${Math.round(right / seconds)} a second${more}`,
  );
}
