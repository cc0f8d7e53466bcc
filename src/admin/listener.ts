// The admin listener: an HTTP/1.1 listener of our own with small limits, apart from those of the applications, which answers
// from before the apps start until they have ended. Loaded only where one is configured.
import type { ListenAddress } from "../config/address.ts";
import type { Operations, ServerStatus } from "../control/operations.ts";
import type { Log } from "../exchange/index.ts";
import { HTTP_LIMITS, type HttpLimits } from "../http/limits.ts";
import { httpListener } from "../protocols/http1/index.ts";
import { bind } from "../server/listen.ts";
import type { AdminSource } from "./endpoints.ts";
import { guardOf } from "./guard.ts";
import { adminHandler } from "./handler.ts";
import { Inspections } from "./inspection.ts";
import { LiveStreams, liveData } from "./live.ts";
import type { AdminAccess } from "./settings.ts";

/** Probes, scrapers and a few people: nobody else has business here. */
export const ADMIN_LIMITS: HttpLimits = {
  ...HTTP_LIMITS,
  target: 2_048,
  headerBytes: 16_384,
  headerCount: 100,
  body: 4_096,
  pipelined: 16_384,
  connections: 64,
  idleTimeout: 30_000,
  sendTimeout: 10_000,
};

/** Milliseconds for answers under way when the server ends. */
const LAST_ANSWERS = 500;
/** Only its owner may connect to the Unix socket. */
const PRIVATE = 0o600;

export interface AdminListener {
  readonly url: string;
  /** Never rejects. */
  close(): Promise<void>;
}

/** Listens. Rejects with ADDRESS_UNUSABLE and what to do about it. */
export async function openAdmin(
  { place, token }: AdminAccess,
  source: AdminSource,
  log: Log,
): Promise<AdminListener> {
  const shared = { ...source, operations: withSharedStatus(source.operations) };
  const inspections = new Inspections(shared.operations, source.tail);
  const live = new LiveStreams(() => liveData(shared, inspections));
  const handler = adminHandler({ ...shared, inspections, live }, guardOf({ place, token }));
  const listener = httpListener({ handler, log, limits: ADMIN_LIMITS });
  const address: ListenAddress =
    place.kind === "unix" ? { mode: PRIVATE, ...place, protocol: "http" } : { ...place, protocol: "http" };
  const bound = await bind(address, (socket) => listener.accept(socket), "--admin");
  log.info(`the admin listener is at ${bound.url}`);
  return {
    url: bound.url,
    close: async () => {
      live.close();
      await bound.close();
      await listener.close(LAST_ANSWERS);
    },
  };
}

/** Questions at the same time get one answer: many clients must not make many questions to the server processes. */
function withSharedStatus(operations: Operations): Operations {
  let asked: Promise<ServerStatus> | undefined;
  const status = (): Promise<ServerStatus> => {
    asked ??= operations.status().finally(() => {
      asked = undefined;
    });
    return asked;
  };
  return {
    get inspectors() {
      return operations.inspectors;
    },
    status,
    reload: () => operations.reload(),
    stop: () => operations.stop(),
    restart: (app) => operations.restart(app),
    scale: (app, bounds) => operations.scale(app, bounds),
    stacks: (app) => operations.stacks(app),
  };
}
