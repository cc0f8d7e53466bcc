// What the events of a stream do, said once for all streams of a kind: who they concern is one field of the stream. A closure for
// each event would stay in memory with each of tens of thousands of idle connections.
import type { EventEmitter } from "node:events";

/** One at a time: a connection that becomes a WebSocket gives its socket away. */
const OWNER: unique symbol = Symbol("owner");

type Owned<T> = EventEmitter & { [OWNER]?: T | undefined };
type Act<T> = (owner: T, first: never, second: never) => void;

export class StreamEvents<T> {
  readonly #all: readonly [event: string, listener: (first: never, second: never) => void][];

  /** What each event does; it gets the owner of the stream, and then what the event has. */
  constructor(acts: Readonly<Record<string, Act<T>>>) {
    this.#all = Object.entries(acts).map(([event, act]) => [event, listenerOf(act)]);
  }

  attach(stream: EventEmitter, owner: T): void {
    (stream as Owned<T>)[OWNER] = owner;
    for (const [event, listener] of this.#all) stream.on(event, listener as () => void);
  }

  detach(stream: EventEmitter): void {
    this.release(stream);
    for (const [event, listener] of this.#all) stream.off(event, listener as () => void);
  }

  /** The stream refers to its owner no more; its events have no effect, and an "error" is still listened to. */
  release(stream: EventEmitter): void {
    (stream as Owned<T>)[OWNER] = undefined;
  }
}

function listenerOf<T>(act: Act<T>): (first: never, second: never) => void {
  return function (this: Owned<T>, first: never, second: never): void {
    const owner = this[OWNER];
    if (owner !== undefined) act(owner, first, second);
  };
}
