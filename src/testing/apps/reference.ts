// The reference application of the suite, written against the exchange itself: it stands behind listeners under test.
// Tested by test/matrix/matrix.test.ts.
import {
  type Exchange,
  type Gateway,
  type Headers,
  header,
  isFieldValue,
  isToken,
  type ResponseHead,
  SallyportError,
} from "../../exchange/index.ts";
import { toBytes } from "../bytes.ts";
import { type AppScript, type Behaviour, CONFORMANCE_FIELD, type Seen } from "../case.ts";
import { SideChannel } from "../side-channel.ts";
import { ANSWER_PIECE, decoded, joinedFields, jsonOf, scriptOf } from "./script.ts";

/** Answers exchanges of the suite, and no others. */
export function referenceGateway(): Gateway {
  return {
    handle(exchange) {
      behave(exchange).catch((error: unknown) => exchange.fail(appError(error)));
    },
  };
}

/** A hint for 103; some servers drop one without fields. */
const HINTS: Headers = ["Link", "</style.css>; rel=preload"];

type Handlers = {
  readonly [K in Behaviour["kind"]]: (
    exchange: Exchange,
    app: Extract<AppScript, { kind: K }>,
    sideChannel: SideChannel,
  ) => Promise<void>;
};

async function behave(exchange: Exchange): Promise<void> {
  const app = scriptOf(header(exchange.request.headers, CONFORMANCE_FIELD.toLowerCase()));
  await HANDLERS[app.kind](exchange, app as never, new SideChannel(app.notes));
}

const HANDLERS: Handlers = {
  answer: async (exchange, app) => {
    for (const status of app.informs ?? []) exchange.inform({ status, reason: "", headers: HINTS });
    exchange.respond(headOf(app), toBytes(app.body));
  },

  stream: async (exchange, app, sideChannel) => {
    exchange.start(headOf(app));
    for (const [i, piece] of app.pieces.entries()) {
      await write(exchange, toBytes(piece));
      if (app.gated) await sideChannel.see(`piece-${i + 1}`, () => exchange.closed);
    }
    if (app.ending === "fail") throw new Error("told to fail");
    exchange.end(app.trailers);
  },

  echo: async (exchange) => {
    exchange.start({ status: 200, reason: "", headers: ["Content-Type", "application/octet-stream"] });
    const { body } = exchange;
    for (let piece = await body.read(); piece; piece = await body.read()) await write(exchange, piece);
    exchange.end();
  },

  describe: async (exchange) => {
    const { body } = exchange;
    let size = 0;
    for (let piece = await body.read(); piece; piece = await body.read()) size += piece.length;
    exchange.respond(
      { status: 200, reason: "", headers: ["Content-Type", "application/json"] },
      jsonOf(seenBy(exchange, size)),
    );
  },

  fail: async () => {
    throw new Error("told to fail");
  },

  absorb: async (exchange, _app, sideChannel) => {
    const size = await absorbed(exchange, sideChannel);
    if (size === undefined) return sideChannel.add("left");
    await sideChannel.add("complete");
    exchange.respond({ status: 200, reason: "", headers: ["Content-Type", "text/plain"] }, String(size));
  },

  endless: async (exchange, _app, sideChannel) => {
    exchange.start({ status: 200, reason: "", headers: ["Content-Type", "text/plain"] });
    while (!exchange.closed) {
      await write(exchange, ANSWER_PIECE);
      await sideChannel.add("pieces");
    }
    await sideChannel.add("left");
  },

  hang: async (exchange, _app, sideChannel) => {
    exchange.whenClosed(({ complete }) => complete || sideChannel.add("left"));
    await sideChannel.add("running");
  },
};

/** The bytes read; undefined when the body was cut off. */
async function absorbed({ body }: Exchange, sideChannel: SideChannel): Promise<number | undefined> {
  let size = 0;
  try {
    for (let piece = await body.read(); piece; piece = await body.read()) {
      if (size === 0) await sideChannel.add("received");
      size += piece.length;
    }
    return size;
  } catch {
    return undefined;
  }
}

/** Resolves when more may be written, or nothing any more. */
async function write(exchange: Exchange, piece: Uint8Array): Promise<void> {
  if (exchange.write(piece) || exchange.closed) return;
  await new Promise<void>((resolve) => {
    exchange.whenDrained(resolve);
    exchange.whenClosed(() => resolve());
  });
}

/** Like any gateway, this one refuses a head that cannot be sent. */
function headOf(app: { status?: number; reason?: string; headers?: Headers }): ResponseHead {
  const { status = 200, reason = "", headers = [] } = app;
  const wrong = headers.find((text, i) => !(i % 2 === 0 ? isToken(text) : isFieldValue(text)));
  if (status < 200 || wrong !== undefined)
    throw new SallyportError(
      "APP_PROTOCOL",
      `the status ${status}, or ${JSON.stringify(wrong)}, cannot be sent`,
    );
  return { status, reason, headers };
}

function seenBy({ request, body, mount }: Exchange, size: number): Seen {
  const rest = request.path.slice(mount.length);
  return {
    method: request.method,
    mount: decoded(mount),
    path: decoded(rest),
    query: request.query,
    target: request.target,
    scheme: request.scheme,
    authority: request.authority,
    remote: request.remote.address.replace(/^::ffff:/, ""),
    headers: joinedFields(request.headers),
    length: body.length === undefined || !hasLength(request.headers) ? null : body.length,
    size,
    proxied: false,
    trailers: joinedFields(body.trailers),
  };
}

const hasLength = (headers: Headers): boolean => header(headers, "content-length") !== undefined;

function appError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  return new SallyportError("APP_RAISED", "the reference application failed", { cause: error });
}
