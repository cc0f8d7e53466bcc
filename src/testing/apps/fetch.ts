// The reference application of the suite as a fetch handler.
// Tested by test/matrix/matrix.test.ts.
import type { Address, Headers as Fields } from "../../exchange/index.ts";
import { toBytes } from "../bytes.ts";
import { type AppScript, type Behaviour, CONFORMANCE_FIELD, type Seen } from "../case.ts";
import { SideChannel } from "../side-channel.ts";
import { ANSWER_PIECE, decoded, jsonOf, scriptOf } from "./script.ts";

/** Facts that a Request does not have. */
interface Facts {
  readonly remote: Address;
  readonly mount: string;
}

type Handlers = {
  readonly [K in Behaviour["kind"]]: (
    request: Request,
    app: Extract<AppScript, { kind: K }>,
    sideChannel: SideChannel,
    facts: Facts,
  ) => Promise<Response>;
};

/** Answers requests of the suite, and no others. */
export async function fetchReference(request: Request, facts: Facts): Promise<Response> {
  const app = scriptOf(request.headers.get(CONFORMANCE_FIELD));
  return HANDLERS[app.kind](request, app as never, new SideChannel(app.notes), facts);
}

const HANDLERS: Handlers = {
  answer: async (_request, app) => new Response(bodyOf(app), initOf(app)),

  stream: async (_request, app, sideChannel) => new Response(streamOf(pieces(app, sideChannel)), initOf(app)),

  echo: async (request) =>
    new Response(request.body, { headers: { "Content-Type": "application/octet-stream" } }),

  describe: async (request, _app, _sideChannel, facts) => {
    const size = (await request.arrayBuffer()).byteLength;
    const seen = jsonOf(seenIn(request, size, facts));
    return new Response(plain(seen), { headers: { "Content-Type": "application/json" } });
  },

  fail: async () => {
    throw new Error("told to fail");
  },

  absorb: async (request, _app, sideChannel) => {
    let size = 0;
    try {
      for await (const piece of (request.body ?? []) as AsyncIterable<Uint8Array>) {
        if (size === 0) await sideChannel.add("received");
        size += piece.length;
      }
    } catch (error) {
      await sideChannel.add("left");
      throw error;
    }
    await sideChannel.add("complete");
    return new Response(String(size));
  },

  endless: async (_request, _app, sideChannel) =>
    new Response(streamOf(endless(sideChannel)), { headers: { "Content-Type": "text/plain" } }),

  hang: async ({ signal }, _app, sideChannel) => {
    signal.addEventListener("abort", () => sideChannel.add("left"));
    await sideChannel.add("running");
    return new Promise(() => {});
  },
};

const plain = (bytes: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** The standard allows no body, not even an empty one, with some statuses. */
function bodyOf({
  status = 200,
  body,
}: Extract<Behaviour, { kind: "answer" }>): Uint8Array<ArrayBuffer> | null {
  return [204, 205, 304].includes(status) ? null : plain(toBytes(body));
}

function initOf(app: { status?: number; reason?: string; headers?: Fields }): ResponseInit {
  const { status = 200, reason = "", headers = [] } = app;
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i] as string, headers[i + 1] as string]);
  return { status, statusText: reason, headers: pairs };
}

async function* pieces(
  app: Extract<Behaviour, { kind: "stream" }>,
  sideChannel: SideChannel,
): AsyncGenerator<Uint8Array, void> {
  for (const [i, piece] of app.pieces.entries()) {
    yield toBytes(piece);
    if (app.gated) await sideChannel.see(`piece-${i + 1}`);
  }
  if (app.ending === "fail") throw new Error("told to fail");
}

async function* endless(sideChannel: SideChannel): AsyncGenerator<Uint8Array, void> {
  try {
    for (;;) {
      yield ANSWER_PIECE;
      await sideChannel.add("pieces");
    }
  } finally {
    await sideChannel.add("left");
  }
}

function streamOf(made: AsyncGenerator<Uint8Array, void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await made.next();
        if (done) controller.close();
        else if (value) controller.enqueue(value);
      },
      async cancel() {
        await made.return();
      },
    },
    { highWaterMark: 0 },
  );
}

function seenIn(request: Request, size: number, { remote, mount }: Facts): Seen {
  const { pathname, search, host, protocol } = new URL(request.url);
  const length = request.headers.get("content-length");
  return {
    method: request.method,
    mount: decoded(mount),
    path: decoded(pathname.slice(mount.length)),
    query: search.slice(1),
    target: pathname + search,
    scheme: protocol.slice(0, -1),
    authority: host,
    remote: remote.address.replace(/^::ffff:/, ""),
    headers: Object.fromEntries(request.headers),
    length: length === null ? null : Number(length),
    size,
    proxied: false,
    trailers: {},
  };
}
