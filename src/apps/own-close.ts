// Apps with an end of their own (Fastify, NestJS, Next.js, servers of node:http): it comes when nothing is asked of them any more, also
// where they begin it themselves, at the signal that stops the server.
import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, type Log, silentLog } from "../exchange/index.ts";
import { thrownOf } from "../exchange/thrown.ts";
import { timerDelay } from "../exchange/wait.ts";

/** A server of node:http, as far as its end is concerned. */
export interface ClosingServer extends EventEmitter {
  readonly listening?: boolean;
  close?(callback?: (error?: Error) => void): unknown;
}

export interface OwnClose {
  /** Ends the app. Default: its server's. */
  readonly close?: (() => PromiseLike<unknown>) | undefined;
  /** That of the app, which listens nowhere. */
  readonly server?: ClosingServer | undefined;
  /** Gets what `close` rejects with. */
  readonly log?: Log | undefined;
}

/** Milliseconds in which a stop that the same signal has begun shows, and those that an app has once its server has closed. */
const SHORTLY = 1000;

/** The app that `gateway` asks is closed with it, after the requests under way (WebSockets are none), within the grace. */
export function withOwnClose(gateway: Gateway, { close, server, log = silentLog }: OwnClose): Gateway {
  const requests = new Requests();
  const closeServer = server && delayedClose(server, requests);
  return {
    ...gateway,
    handle(exchange) {
      requests.begin();
      exchange.whenClosed(requests.end);
      gateway.handle(exchange);
    },
    leave(why) {
      requests.become("leaving");
      gateway.leave?.(why);
    },
    async close(grace) {
      const deadline = performance.now() + grace;
      await within(grace, requests.none());
      requests.become("closed");
      try {
        await within(deadline - performance.now(), close ? close() : closeServer?.());
      } catch (error) {
        const { message, stack } = thrownOf(error);
        log.warn(`the application failed while it closed: ${message}`, { detail: stack });
      }
    },
  };
}

/** Settles as the promise does, and after that many milliseconds at the latest. */
async function within(milliseconds: number, promise: PromiseLike<unknown> | undefined): Promise<void> {
  const done = new AbortController();
  const late = sleep(timerDelay(Math.max(0, milliseconds)), undefined, { signal: done.signal }).catch(
    () => {},
  );
  try {
    await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}

/**
 * The `close` of a server that listens nowhere calls back at once, and with an error. Who ends the process then (close-with-grace,
 * terminus, `server.close(() => process.exit())`) would cut the requests under way. So it waits for them, and where our server
 * stops, until the last answer has left. The result closes it, and gives who had closed it before a moment for the rest of its end, of which
 * nobody tells when it is over.
 */
function delayedClose(server: ClosingServer, requests: Requests): (() => Promise<void>) | undefined {
  const { close } = server;
  if (!close) return undefined;
  let closed: Promise<void> | undefined;
  server.close = (callback) => {
    if (server.listening) return close.call(server, callback);
    closed ??= requests.over().then(() => void close.call(server));
    if (callback) void closed.then(() => callback());
    return server;
  };
  return async () => {
    const wasClosed = closed !== undefined;
    await new Promise((resolve) => server.close?.(resolve));
    if (wasClosed) await sleep(SHORTLY);
  };
}

type State = "serving" | "leaving" | "closed";

/** Those of one app. */
class Requests {
  readonly end = (): void => this.#end();
  readonly #events = new EventEmitter();
  #state: State = "serving";
  #underWay = 0;

  begin(): void {
    this.#underWay += 1;
  }

  become(state: State): void {
    this.#state = state;
    this.#events.emit(state);
  }

  async none(): Promise<void> {
    if (this.#underWay > 0) await once(this.#events, "none");
  }

  /** Resolves once there is none, and no stop of our server's under way. */
  async over(): Promise<void> {
    await this.none();
    if (this.#state === "serving") await Promise.race([once(this.#events, "leaving"), sleep(SHORTLY)]);
    if (this.#state === "leaving") await once(this.#events, "closed");
  }

  #end(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#events.emit("none");
  }
}
