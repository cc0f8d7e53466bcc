// Cuts the references of a closed connection. Newer versions of Node keep the handles of connections and HTTP/2 streams until
// a full garbage collection, and with a handle all that its socket refers to: after a busy hour the heap is full of them.
import type { Duplex } from "node:stream";

/** Removes all listeners of `stream` once it has closed. */
export function forgetWhenClosed(stream: Duplex): void {
  stream.on("close", forget);
}

/** A listener of "close". The other listeners of this very event still run: emit() works on a copy of the list. */
export function forget(this: Duplex): void {
  this.removeAllListeners();
  // TLS reports a write that it gave up only now.
  this.on("error", ignore);
}

const ignore = (): void => {};
