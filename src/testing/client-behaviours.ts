// The behaviours of the client, one function each: what it sends when, and when it leaves.
// Tested by test/testing/defects.test.ts.
import type { Answer } from "./answer.ts";
import { toBytes } from "./bytes.ts";
import type { Behaviour, ClientBehaviour, Request } from "./case.ts";
import type { Client, RequestBytes } from "./client.ts";
import type { SideChannel } from "./side-channel.ts";

/** One request, sent once. */
export interface ClientAttempt {
  readonly client: Client;
  readonly request: Request;
  readonly bytes: RequestBytes;
  readonly app: Behaviour;
  readonly sideChannel: SideChannel;
}

/** Resolves with the answer when no more of it will come. */
type RunClient = (attempt: ClientAttempt) => Promise<Answer>;

/** Bytes of an endless response that the client reads before it leaves. */
const ENOUGH = 200_000;
/** Milliseconds without a new piece after which the application counts as waiting. */
const REST = 150;
/** More pieces of 64 KiB than all buffers in between can hold: sockets, pipes, and ours. */
const MOST_PIECES = 2_000;

export class NotHeldBack extends Error {}

export const CLIENT_BEHAVIOURS: Readonly<Record<Exclude<ClientBehaviour, "pipelines">, RunClient>> = {
  plain: (attempt) => {
    attempt.client.send(attempt.bytes.head, ...attempt.bytes.body);
    return wholeAnswer(attempt);
  },

  endsItsSide: (attempt) => {
    attempt.client.send(attempt.bytes.head, ...attempt.bytes.body);
    attempt.client.endSide();
    return unlockedAnswer(attempt);
  },

  awaitsContinue: async ({ client, bytes }) => {
    const { answer, done } = client.reader.read(bytes.method);
    client.send(bytes.head);
    await client.until(answer, ({ informs, status }) => informs.includes(100) || status > 0);
    if (answer.informs.includes(100)) client.send(...bytes.body);
    await done;
    return answer;
  },

  unlocksPieces: (attempt) => {
    attempt.client.send(attempt.bytes.head, ...attempt.bytes.body);
    return unlockedAnswer(attempt);
  },

  pausesUpload: async (attempt) => {
    const { client, bytes } = attempt;
    const { answer, done } = client.reader.read(bytes.method);
    await sendHalf(attempt, answer);
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

  leavesMidUpload: async (attempt) => {
    const { answer } = attempt.client.reader.read(attempt.bytes.method);
    await sendHalf(attempt, answer);
    attempt.client.hangUp();
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

async function wholeAnswer({ client, bytes }: ClientAttempt): Promise<Answer> {
  const { answer, done } = client.reader.read(bytes.method);
  await done;
  return answer;
}

const half = ({ body }: RequestBytes): number => Math.ceil(body.length / 2);

async function sendHalf({ client, bytes, sideChannel }: ClientAttempt, answer: Answer): Promise<void> {
  client.send(bytes.head, ...bytes.body.slice(0, half(bytes)));
  await sideChannel.see("received", () => answer.status > 0 || client.reader.ended);
}

/** Unlocks each piece once the one before it has arrived. */
async function unlockedAnswer({ client, bytes, app, sideChannel }: ClientAttempt): Promise<Answer> {
  const { answer, done } = client.reader.read(bytes.method);
  let expected = 0;
  for (const [i, piece] of (app.kind === "stream" ? app.pieces : []).entries()) {
    expected += toBytes(piece).length;
    if (!(await client.until(answer, ({ size }) => size >= expected))) break;
    await sideChannel.add(`piece-${i + 1}`);
  }
  await done;
  return answer;
}
