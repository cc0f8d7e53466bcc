// Runs cases against a server, some at a time, and says of each what became of it.
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer } from "./answer.ts";
import { complaintsAbout } from "./assertions.ts";
import type { Capability, Case, Step } from "./case.ts";
import { Client, type RequestBytes, requestBytes } from "./client.ts";
import { CLIENT_BEHAVIOURS } from "./client-behaviours.ts";
import { SideChannel } from "./side-channel.ts";
import { suite } from "./suite.ts";

export interface SuiteOptions {
  /** Where the server listens, in HTTP/1.1 without TLS; it must answer with a conformance application. */
  readonly url: string;
  /** What this server, or what stands behind it, cannot do: cases that need it are skipped. */
  readonly lacks?: Iterable<Capability>;
  /** Default: the whole suite. */
  readonly cases?: readonly Case[];
  /** Cases at the same time. Default 8. */
  readonly concurrency?: number;
  /** Milliseconds for one case. Default 20 s. */
  readonly deadline?: number;
  /** Hears of each result as it comes. */
  readonly onResult?: (result: Result) => void;
}

export interface Result {
  readonly name: string;
  readonly verdict: "passed" | "failed" | "skipped";
  /** Why it failed. */
  readonly complaints: readonly string[];
  /** Why it was skipped. */
  readonly lacking: readonly Capability[];
}

const CONCURRENCY = 8;
const DEADLINE = 20_000;

/** Resolves with one result for each case, in their order. Never rejects because of what a server does. */
export async function runSuite(options: SuiteOptions): Promise<Result[]> {
  const { cases = suite, concurrency = CONCURRENCY } = options;
  const folder = await mkdtemp(join(tmpdir(), `sallyport-suite-${process.pid}-`));
  // The application may run as somebody else.
  await chmod(folder, 0o1777);
  const results: Result[] = [];
  const queue = [...cases.entries()];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const result = await resultOf(next[1], join(folder, `${next[0]}`), options);
      results[next[0]] = result;
      options.onResult?.(result);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, lane));
  } finally {
    // An application that fell out of step may still be noting something.
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return results;
}

/** The capabilities that `one` needs and that are not there. */
export const lackingFor = (one: Case, lacks: Iterable<Capability> = []): Capability[] => {
  const missing = new Set(lacks);
  return (one.needs ?? []).filter((capability) => missing.has(capability));
};

async function resultOf(one: Case, place: string, options: SuiteOptions): Promise<Result> {
  const { name } = one;
  const lacking = lackingFor(one, options.lacks);
  if (lacking.length > 0) return { name, verdict: "skipped", complaints: [], lacking };
  const complaints = await new CaseRun(one, place, options).complaints();
  return { name, verdict: complaints.length > 0 ? "failed" : "passed", complaints, lacking };
}

/** One case on its way. */
class CaseRun {
  readonly #case: Case;
  readonly #prefixBase: string;
  readonly #url: URL;
  readonly #deadline: number;
  readonly #late = new AbortController();
  #client: Client | undefined;
  /** Whether the client may take another connection when this one turns out to be closed. */
  #mayReconnect = false;

  constructor(one: Case, place: string, { url, deadline = DEADLINE }: SuiteOptions) {
    this.#case = one;
    this.#prefixBase = place;
    this.#url = new URL(url);
    this.#deadline = deadline;
  }

  async complaints(): Promise<string[]> {
    const timer = setTimeout(() => this.#giveUp(), this.#deadline);
    try {
      const found = this.#case.client === "pipelines" ? await this.#pipelined() : await this.#inTurn();
      return this.#late.signal.aborted ? [`it was not over after ${this.#deadline} ms`, ...found] : found;
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    } finally {
      clearTimeout(timer);
      this.#client?.hangUp();
    }
  }

  #giveUp(): void {
    this.#late.abort();
    this.#client?.hangUp();
  }

  get #steps(): Step[] {
    return [this.#case, ...(this.#case.next ?? [])];
  }

  async #inTurn(): Promise<string[]> {
    for (const [i, step] of this.#steps.entries()) {
      const sideChannel = this.#sideChannel(i);
      const bytes = this.#bytes(i, step);
      const { request, app, expected } = step;
      const behaviour = i === 0 ? (this.#case.client ?? "plain") : "plain";
      const run = CLIENT_BEHAVIOURS[behaviour as keyof typeof CLIENT_BEHAVIOURS];
      const client = await this.#connected();
      let answer = await run({ client, bytes, sideChannel, request, app });
      if (answer.status === 0 && this.#mayReconnect && client.reader.ended)
        answer = await run({ client: await this.#connectAnew(), bytes, sideChannel, request, app });
      const found = await complaintsAbout(answer, sideChannel, expected);
      if (found.length > 0) return named(i, found);
      this.#after(answer, step);
    }
    return [];
  }

  /** All requests at once, on one connection. */
  async #pipelined(): Promise<string[]> {
    const client = await this.#connected();
    const requests = this.#steps.map((step, i) => this.#bytes(i, step));
    client.send(Buffer.concat(requests.flatMap(({ head, body }) => [head, ...body])));
    for (const [i, step] of this.#steps.entries()) {
      const { answer, done } = client.reader.read((requests[i] as RequestBytes).method);
      await done;
      const found = await complaintsAbout(answer, this.#sideChannel(i), step.expected);
      if (found.length > 0) return named(i, found);
    }
    return [];
  }

  #bytes(i: number, { request, app }: Step): RequestBytes {
    return requestBytes(request, { ...app, notes: this.#prefix(i) }, this.#url.host);
  }

  #sideChannel(i: number): SideChannel {
    return new SideChannel(this.#prefix(i), this.#late.signal);
  }

  #prefix(i: number): string {
    return `${this.#prefixBase}-${i}-`;
  }

  async #connected(): Promise<Client> {
    if (!this.#client || this.#client.reader.ended) return this.#connectAnew();
    return this.#client;
  }

  async #connectAnew(): Promise<Client> {
    this.#client?.hangUp();
    this.#mayReconnect = false;
    this.#client = await Client.open(this.#url);
    if (this.#late.signal.aborted) this.#client.hangUp();
    return this.#client;
  }

  /** A server may close a kept connection at any time (RFC 9112, 9.3.1), but not where a case expects that it is kept. */
  #after({ complete, persistent }: Answer, { expected }: Step): void {
    const kept = !Array.isArray(expected) && (expected as { persistent?: boolean }).persistent === true;
    this.#mayReconnect = !kept;
    if (complete && persistent) return;
    this.#client?.hangUp();
    this.#client = undefined;
  }
}

const named = (i: number, complaints: readonly string[]): string[] =>
  i === 0 ? [...complaints] : complaints.map((text) => `request ${i + 1}: ${text}`);
