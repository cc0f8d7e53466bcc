// The demonstration as a user starts it, and what its pages ask.
import { fileURLToPath } from "node:url";
import type { Door, Machine, ServingProcess } from "../../src/demo/door.ts";
import type { RecordingView } from "../../src/inspect/view.ts";
import type { WireField } from "../../src/wire/fields.ts";
import { type Served, serveBy } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

/** Runs `sallyport demo` on a free port. */
export const startDemo = (env: Record<string, string> = {}, ...args: string[]): Promise<Served> =>
  serveBy([process.execPath, BIN, "demo", "--port", "0", ...args], { env });

/** A recording as it is sent: bytes are base64. */
export type SentRecording = Omit<RecordingView, "id" | "handover"> & {
  readonly id: number;
  readonly process: ServingProcess | undefined;
  readonly handover: Sent<NonNullable<RecordingView["handover"]>>;
};
type Sent<T extends { messages: readonly unknown[] }> = Omit<T, "messages"> & {
  readonly messages: readonly {
    readonly name: string;
    readonly bytes: string;
    readonly fields: WireField[];
  }[];
};

export interface Visit {
  readonly status: number;
  readonly text: string;
  readonly recording: SentRecording;
}

export async function json<T>(url: string, init?: RequestInit): Promise<T> {
  return (await (await fetch(url, init)).json()) as T;
}

export const doorsOf = async ({ url }: Served): Promise<readonly Door[]> =>
  (await json<{ doors: Door[]; machine: Machine }>(`${url}/demo/doors`)).doors;

/** Makes a request, as a page does, and reads its recording. */
export async function visit({ url }: Served, target: string, init?: RequestInit): Promise<Visit> {
  const response = await fetch(url + target, init);
  const text = await response.text();
  const id = response.headers.get("Sallyport-Recording");
  const recording = await json<SentRecording>(`${url}/demo/recordings/${id}`);
  return { status: response.status, text, recording };
}

export interface RaceEvent {
  readonly event: string;
  readonly data: {
    readonly id?: string;
    readonly why?: string;
    readonly done: number;
    readonly of: number;
    readonly rate: number;
    readonly seconds: number;
    readonly failed: number;
    readonly cut: boolean;
    readonly started: number;
    readonly p50: number;
    readonly p99: number;
    readonly memory: number;
  };
}

export const askRace = ({ url }: Served, question: object, init: RequestInit = {}): Promise<Response> =>
  fetch(`${url}/demo/race`, { method: "POST", body: JSON.stringify(question), ...init });

/** All events of a race, once it is over. */
export async function raceEvents(site: Served, question: object): Promise<RaceEvent[]> {
  const text = await (await askRace(site, question)).text();
  return text
    .split("\n\n")
    .filter(Boolean)
    .map((block) => {
      const [, event = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      return { event, data: JSON.parse(data) as RaceEvent["data"] };
    });
}
