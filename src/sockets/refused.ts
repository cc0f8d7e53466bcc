// Connections that are refused with a last word. To close one while something that it sent is unread would make the kernel reset
// it, and that can take the word back (RFC 9112, 9.6): it is read for nothing until its client closes, for a moment.
// Tested by test/protocols/http1/endings.test.ts.
import type { Socket } from "node:net";
import { takesReserve } from "./descriptors.ts";

/** Connections of one listener that linger at once; any more are closed without waiting. */
const MOST = 64;
/** Milliseconds for the client to close. */
const LINGER = 1_000;

export class RefusedConnections {
  #lingering = 0;

  /** Sends `word`, and ends the connection. */
  end(socket: Socket, word: Uint8Array): void {
    socket.on("error", () => {});
    socket.end(word);
    if (this.#lingering < MOST && !takesReserve(socket)) this.#linger(socket);
    else socket.destroySoon();
  }

  #linger(socket: Socket): void {
    this.#lingering++;
    const timer = setTimeout(() => socket.destroy(), LINGER).unref();
    socket.once("close", () => {
      clearTimeout(timer);
      this.#lingering--;
    });
    // A process that is done does not wait for it.
    socket.unref().resume();
  }
}
