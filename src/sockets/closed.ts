// What a connection that is over still refers to. Newer versions of Node keep the handles of connections and HTTP/2 streams
// until V8 collects all of its heap, and with a handle all that its socket refers to: a busy hour is a heap full of the dead.
import type { Duplex } from "node:stream";

/** Once `stream` has closed, and everybody was told, it knows nobody any more. */
export function forgetWhenClosed(stream: Duplex): void {
  stream.on("close", forget);
}

/** Those who listen to this very event are still told: it goes to all that were there when it began. */
function forget(this: Duplex): void {
  this.removeAllListeners();
  // A write that was given up by TLS says so only now.
  this.on("error", ignore);
}

const ignore = (): void => {};
