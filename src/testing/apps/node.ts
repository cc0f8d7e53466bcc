// The reference application of the suite as a node:http handler.
// Tested by test/matrix/matrix.test.ts.
import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Headers } from "../../exchange/index.ts";
import { toBytes } from "../bytes.ts";
import { type AppScript, type Behaviour, CONFORMANCE_FIELD, type Seen } from "../case.ts";
import { SideChannel } from "../side-channel.ts";
import { ANSWER_PIECE, decoded, joinedFields, jsonOf, scriptOf } from "./script.ts";

/** With the properties that frameworks, and Sallyport, add below a mount. */
type MountedRequest = IncomingMessage & { readonly baseUrl?: string; readonly originalUrl?: string };

type Handlers = {
  readonly [K in Behaviour["kind"]]: (
    req: MountedRequest,
    res: ServerResponse,
    app: Extract<AppScript, { kind: K }>,
    sideChannel: SideChannel,
  ) => Promise<void>;
};

/** Answers requests of the suite, and no others. */
export async function nodeReference(req: MountedRequest, res: ServerResponse): Promise<void> {
  const app = scriptOf(req.headers[CONFORMANCE_FIELD.toLowerCase()] as string | undefined);
  await HANDLERS[app.kind](req, res, app as never, new SideChannel(app.notes));
}

const HANDLERS: Handlers = {
  answer: async (_req, res, app) => {
    if (app.informs?.includes(103)) res.writeEarlyHints({ link: "</style.css>; rel=preload" });
    giveHead(res, app);
    res.end(toBytes(app.body));
  },

  stream: async (_req, res, app, sideChannel) => {
    giveHead(res, app);
    res.flushHeaders();
    for (const [i, piece] of app.pieces.entries()) {
      await write(res, toBytes(piece));
      if (app.gated) await sideChannel.see(`piece-${i + 1}`, () => res.destroyed);
    }
    if (app.ending === "fail") throw new Error("told to fail");
    if (app.trailers) res.addTrailers(Object.entries(joinedFields(app.trailers)));
    res.end();
  },

  echo: async (req, res) => {
    res.setHeader("Content-Type", "application/octet-stream");
    for await (const piece of req) await write(res, piece);
    res.end();
  },

  describe: async (req, res) => {
    let size = 0;
    for await (const piece of req) size += piece.length;
    res.setHeader("Content-Type", "application/json");
    res.end(jsonOf(seenIn(req, size)));
  },

  fail: async () => {
    throw new Error("told to fail");
  },

  absorb: async (req, res, _app, sideChannel) => {
    let size = 0;
    try {
      for await (const piece of req) {
        if (size === 0) await sideChannel.add("received");
        size += piece.length;
      }
    } catch {
      return sideChannel.add("left");
    }
    await sideChannel.add("complete");
    res.end(String(size));
  },

  endless: async (_req, res, _app, sideChannel) => {
    res.setHeader("Content-Type", "text/plain");
    while (!res.destroyed) {
      await write(res, ANSWER_PIECE);
      await sideChannel.add("pieces");
    }
    await sideChannel.add("left");
  },

  hang: async (_req, res, _app, sideChannel) => {
    res.once("close", () => sideChannel.add("left"));
    await sideChannel.add("running");
  },
};

function giveHead(res: ServerResponse, app: { status?: number; reason?: string; headers?: Headers }): void {
  const { status = 200, reason, headers = [] } = app;
  for (let i = 0; i < headers.length; i += 2)
    res.appendHeader(headers[i] as string, headers[i + 1] as string);
  res.statusCode = status;
  res.statusMessage = reason ?? STATUS_CODES[status] ?? "";
  if (status < 200) res.writeHead(status);
}

async function write(res: ServerResponse, piece: Uint8Array): Promise<void> {
  if (res.write(piece) || res.destroyed) return;
  const settled = new AbortController();
  const { signal } = settled;
  await Promise.race([once(res, "drain", { signal }), once(res, "close", { signal })]).finally(() =>
    settled.abort(),
  );
}

function seenIn(req: MountedRequest, size: number): Seen {
  const target = req.originalUrl ?? req.url ?? "";
  const [path = "", query = ""] = apart(req.url ?? "");
  return {
    method: req.method ?? "",
    mount: decoded(req.baseUrl ?? ""),
    path: decoded(path),
    query,
    target,
    scheme: "encrypted" in req.socket && req.socket.encrypted ? "https" : "http",
    authority: req.headers.host ?? "",
    remote: (req.socket.remoteAddress ?? "").replace(/^::ffff:/, ""),
    headers: joinedFields(req.rawHeaders),
    length: req.headers["content-length"] === undefined ? null : Number(req.headers["content-length"]),
    size,
    proxied: false,
    trailers: joinedFields(req.rawTrailers),
  };
}

function apart(url: string): [path: string, query: string] {
  const mark = url.indexOf("?");
  return mark < 0 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
}
