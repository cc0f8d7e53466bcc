// The ways of the client, one function each: what it sends when, and when it leaves.
import type { Answer } from "./answer.ts";
import { toBytes } from "./bytes.ts";
import type { Behaviour, ClientBehaviour, Request } from "./case.ts";
import type { Client, RequestBytes } from "./client.ts";
import type { SideChannel } from "./side-channel.ts";

/** One request on its way. */
export interface Attempt {
  readonly client: Client;
  readonly request: Request;
  readonly bytes: RequestBytes;
  readonly app: Behaviour;
  readonly sideChannel: SideChannel;
}

/** Gives the answer when nothing more will come of it. */
type RunClient = (round: Attempt) => Promise<Answer>;

/** How much of an endless response is read before the client leaves. */
const ENOUGH = 200_000;
/** The application rests when it has made nothing for so many milliseconds. */
const REST = 150;
/** More pieces of 64 KiB than all buffers on the way may hold: sockets, pipes, and ours. */
const MOST_PIECES = 2_000;

export class NotHeldBack extends Error {}

export const CLIENT_BEHAVIOURS: Readonly<Record<Exclude<ClientBehaviour, "pipelines">, RunClient>> = {
  plain: (round) => {
    round.client.send(round.bytes.head, ...round.bytes.body);
    return wholeAnswer(round);
  },

  endsItsSide: (round) => {
    round.client.send(round.bytes.head, ...round.bytes.body);
    round.client.endSide();
    return unlockedAnswer(round);
  },

  awaitsContinue: async ({ client, bytes }) => {
    const { answer, done } = client.reader.read(bytes.method);
    client.send(bytes.head);
    await client.until(answer, ({ informs, status }) => informs.includes(100) || status > 0);
    if (answer.informs.includes(100)) client.send(...bytes.body);
    await done;
    return answer;
  },

  unlocksPieces: (round) => {
    round.client.send(round.bytes.head, ...round.bytes.body);
    return unlockedAnswer(round);
  },

  pausesUpload: async (round) => {
    const { client, bytes } = round;
    const { answer, done } = client.reader.read(bytes.method);
    await sendHalf(round, answer);
    client.send(...bytes.body.slice(half(bytes)));
    await done;
    return answer;
  },

  pingsAndPongs: async ({ client, request, bytes }) => {
    const { answer, done } = client.reader.read(bytes.method);
    client.send(bytes.head);
    let sent = 0;
    for (const part of bytes.body) {
      await client.until(answer, ({ size }) => size >= sent);
      client.send(part);
      sent += request.chunk ?? 0;
    }
    await done;
    return answer;
  },

  leavesMidUpload: async (round) => {
    const { answer } = round.client.reader.read(round.bytes.method);
    await sendHalf(round, answer);
    round.client.hangUp();
    return answer;
  },

  leavesBeforeHead: async ({ client, bytes, sideChannel }) => {
    const { answer } = client.reader.read(bytes.method);
    client.send(bytes.head, ...bytes.body);
    await sideChannel.see("running", () => client.reader.ended);
    client.hangUp();
    return answer;
  },

  leavesMidResponse: async ({ client, bytes }) => {
    const { answer } = client.reader.read(bytes.method);
    client.send(bytes.head, ...bytes.body);
    await client.until(answer, ({ size }) => size > ENOUGH);
    client.hangUp();
    return answer;
  },

  stalls: async ({ client, bytes, sideChannel }) => {
    const { answer } = client.reader.read(bytes.method);
    client.send(bytes.head, ...bytes.body);
    await client.until(answer, ({ status }) => status > 0);
    client.reader.pause();
    const pieces = await sideChannel.settle("pieces", REST, MOST_PIECES);
    client.hangUp();
    if (pieces >= MOST_PIECES)
      throw new NotHeldBack(`the application made ${pieces} pieces for a client that reads none`);
    return answer;
  },
};

async function wholeAnswer({ client, bytes }: Attempt): Promise<Answer> {
  const { answer, done } = client.reader.read(bytes.method);
  await done;
  return answer;
}

const half = ({ body }: RequestBytes): number => Math.ceil(body.length / 2);

async function sendHalf({ client, bytes, sideChannel }: Attempt, answer: Answer): Promise<void> {
  client.send(bytes.head, ...bytes.body.slice(0, half(bytes)));
  await sideChannel.see("received", () => answer.status > 0 || client.reader.ended);
}

/** Each piece is let go once the one before it has arrived. */
async function unlockedAnswer({ client, bytes, app, sideChannel }: Attempt): Promise<Answer> {
  const { answer, done } = client.reader.read(bytes.method);
  let due = 0;
  for (const [i, piece] of (app.kind === "stream" ? app.pieces : []).entries()) {
    due += toBytes(piece).length;
    if (!(await client.until(answer, ({ size }) => size >= due))) break;
    await sideChannel.add(`piece-${i + 1}`);
  }
  await done;
  return answer;
}
