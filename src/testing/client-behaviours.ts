// The ways of the client, one function each: what it sends when, and when it leaves.
import type { Answer } from "./answer.ts";
import { toBytes } from "./bytes.ts";
import type { Behaviour, ClientBehaviour, Request } from "./case.ts";
import type { Client, RequestBytes } from "./client.ts";
import type { SideChannel } from "./side-channel.ts";

/** One request on its way. */
export interface Round {
  readonly client: Client;
  readonly request: Request;
  readonly octets: RequestBytes;
  readonly app: Behaviour;
  readonly notes: SideChannel;
}

/** Gives the answer when nothing more will come of it. */
type Way = (round: Round) => Promise<Answer>;

/** How much of an endless response is read before the client leaves. */
const ENOUGH = 200_000;
/** The application rests when it has made nothing for so many milliseconds. */
const REST = 150;
/** More pieces of 64 KiB than all buffers on the way may hold: sockets, pipes, and ours. */
const MOST_PIECES = 2_000;

export class NotHeldBack extends Error {}

export const CLIENT_BEHAVIOURS: Readonly<Record<Exclude<ClientBehaviour, "pipelines">, Way>> = {
  plain: (round) => {
    round.client.send(round.octets.head, ...round.octets.body);
    return wholeAnswer(round);
  },

  endsItsSide: (round) => {
    round.client.send(round.octets.head, ...round.octets.body);
    round.client.endSide();
    return unlockedAnswer(round);
  },

  awaitsContinue: async ({ client, octets }) => {
    const { answer, done } = client.reader.read(octets.method);
    client.send(octets.head);
    await client.until(answer, ({ informs, status }) => informs.includes(100) || status > 0);
    if (answer.informs.includes(100)) client.send(...octets.body);
    await done;
    return answer;
  },

  unlocksPieces: (round) => {
    round.client.send(round.octets.head, ...round.octets.body);
    return unlockedAnswer(round);
  },

  pausesUpload: async (round) => {
    const { client, octets } = round;
    const { answer, done } = client.reader.read(octets.method);
    await sendHalf(round, answer);
    client.send(...octets.body.slice(half(octets)));
    await done;
    return answer;
  },

  pingsAndPongs: async ({ client, request, octets }) => {
    const { answer, done } = client.reader.read(octets.method);
    client.send(octets.head);
    let sent = 0;
    for (const part of octets.body) {
      await client.until(answer, ({ size }) => size >= sent);
      client.send(part);
      sent += request.chunk ?? 0;
    }
    await done;
    return answer;
  },

  leavesMidUpload: async (round) => {
    const { answer } = round.client.reader.read(round.octets.method);
    await sendHalf(round, answer);
    round.client.hangUp();
    return answer;
  },

  leavesBeforeHead: async ({ client, octets, notes }) => {
    const { answer } = client.reader.read(octets.method);
    client.send(octets.head, ...octets.body);
    await notes.see("running", () => client.reader.ended);
    client.hangUp();
    return answer;
  },

  leavesMidResponse: async ({ client, octets }) => {
    const { answer } = client.reader.read(octets.method);
    client.send(octets.head, ...octets.body);
    await client.until(answer, ({ size }) => size > ENOUGH);
    client.hangUp();
    return answer;
  },

  stalls: async ({ client, octets, notes }) => {
    const { answer } = client.reader.read(octets.method);
    client.send(octets.head, ...octets.body);
    await client.until(answer, ({ status }) => status > 0);
    client.reader.pause();
    const pieces = await notes.settle("pieces", REST, MOST_PIECES);
    client.hangUp();
    if (pieces >= MOST_PIECES)
      throw new NotHeldBack(`the application made ${pieces} pieces for a client that reads none`);
    return answer;
  },
};

async function wholeAnswer({ client, octets }: Round): Promise<Answer> {
  const { answer, done } = client.reader.read(octets.method);
  await done;
  return answer;
}

const half = ({ body }: RequestBytes): number => Math.ceil(body.length / 2);

async function sendHalf({ client, octets, notes }: Round, answer: Answer): Promise<void> {
  client.send(octets.head, ...octets.body.slice(0, half(octets)));
  await notes.see("received", () => answer.status > 0 || client.reader.ended);
}

/** Each piece is let go once the one before it has arrived. */
async function unlockedAnswer({ client, octets, app, notes }: Round): Promise<Answer> {
  const { answer, done } = client.reader.read(octets.method);
  let due = 0;
  for (const [i, piece] of (app.kind === "stream" ? app.pieces : []).entries()) {
    due += toBytes(piece).length;
    if (!(await client.until(answer, ({ size }) => size >= due))) break;
    await notes.add(`piece-${i + 1}`);
  }
  await done;
  return answer;
}
