// Runs cases against a server, several at a time, with a result for each.
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
  /** The server's URL: HTTP/1.1 without TLS, and behind it a reference application. */
  readonly url: string;
  /** Capabilities that the server or its application lacks: cases that need one are skipped. */
  readonly lacks?: Iterable<Capability>;
  /** Default: the whole suite. */
  readonly cases?: readonly Case[];
  /** Cases at the same time. Default 8. */
  readonly concurrency?: number;
  /** Milliseconds for one case. Default 20 s. */
  readonly deadline?: number;
  /** Called with each result as it comes. */
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

/** Resolves with one result for each case, in their order. Never rejects because of the server's behaviour. */
export async function runSuite(options: SuiteOptions): Promise<Result[]> {
  const { cases = suite, concurrency = CONCURRENCY } = options;
  const folder = await mkdtemp(join(tmpdir(), `sallyport-suite-${process.pid}-`));
  // The application may run as another user.
  await chmod(folder, 0o1777);
  const results: Result[] = [];
  const queue = [...cases.entries()];
  const runQueue = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const result = await resultOf(next[1], join(folder, `${next[0]}`), options);
      results[next[0]] = result;
      options.onResult?.(result);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, runQueue));
  } finally {
    // An application may still be adding notes.
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return results;
}

/** The capabilities that `one` needs and the server lacks. */
export const lackingFor = (one: Case, lacks: Iterable<Capability> = []): Capability[] => {
  const missing = new Set(lacks);
  return (one.needs ?? []).filter((capability) => missing.has(capability));
};

async function resultOf(one: Case, prefix: string, options: SuiteOptions): Promise<Result> {
  const { name } = one;
  const lacking = lackingFor(one, options.lacks);
  if (lacking.length > 0) return { name, verdict: "skipped", complaints: [], lacking };
  const complaints = await new CaseRun(one, prefix, options).complaints();
  return { name, verdict: complaints.length > 0 ? "failed" : "passed", complaints, lacking };
}

/** One run of a case. */
class CaseRun {
  readonly #case: Case;
  readonly #casePrefix: string;
  readonly #url: URL;
  readonly #deadline: number;
  readonly #timedOut = new AbortController();
  #client: Client | undefined;
  /** Whether the client may connect again when the server has closed the connection. */
  #mayReconnect = false;

  constructor(one: Case, prefix: string, { url, deadline = DEADLINE }: SuiteOptions) {
    this.#case = one;
    this.#casePrefix = prefix;
    this.#url = new URL(url);
    this.#deadline = deadline;
  }

  async complaints(): Promise<string[]> {
    const timer = setTimeout(() => this.#giveUp(), this.#deadline);
    try {
      const found = this.#case.client === "pipelines" ? await this.#pipelined() : await this.#inTurn();
      return this.#timedOut.signal.aborted ? [`it was not over after ${this.#deadline} ms`, ...found] : found;
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    } finally {
      clearTimeout(timer);
      this.#client?.hangUp();
    }
  }

  #giveUp(): void {
    this.#timedOut.abort();
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
      this.#afterAnswer(answer, step);
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
    return requestBytes(request, { ...app, notes: this.#stepPrefix(i) }, this.#url.host);
  }

  #sideChannel(i: number): SideChannel {
    return new SideChannel(this.#stepPrefix(i), this.#timedOut.signal);
  }

  #stepPrefix(i: number): string {
    return `${this.#casePrefix}-${i}-`;
  }

  async #connected(): Promise<Client> {
    if (!this.#client || this.#client.reader.ended) return this.#connectAnew();
    return this.#client;
  }

  async #connectAnew(): Promise<Client> {
    this.#client?.hangUp();
    this.#mayReconnect = false;
    this.#client = await Client.open(this.#url);
    if (this.#timedOut.signal.aborted) this.#client.hangUp();
    return this.#client;
  }

  /** A server may close an idle connection at any time (RFC 9112, 9.3.1), but not where the case expects it to persist. */
  #afterAnswer({ complete, persistent }: Answer, { expected }: Step): void {
    const persists = !Array.isArray(expected) && (expected as { persistent?: boolean }).persistent === true;
    this.#mayReconnect = !persists;
    if (complete && persistent) return;
    this.#client?.hangUp();
    this.#client = undefined;
  }
}

const named = (i: number, complaints: readonly string[]): string[] =>
  i === 0 ? [...complaints] : complaints.map((text) => `request ${i + 1}: ${text}`);
