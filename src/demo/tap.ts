// Keeps the bytes that pass from a peer to a server of ours: a Unix socket between them.
// Tested by test/demo/behind.test.ts.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Bytes that are kept; more still pass. */
const MOST = 65_536;

export class Tap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pieces: Buffer[] = [];
  #size = 0;

  private constructor(target: string) {
    this.#server = createServer({ allowHalfOpen: true }, (peer) => this.#pass(peer, target));
  }

  /** Listens at `path`, and passes what comes on to `target`, another Unix socket. */
  static async open(path: string, target: string): Promise<Tap> {
    const tap = new Tap(target);
    await once(tap.#server.listen(path), "listening");
    return tap;
  }

  /** What the peer has sent. */
  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(peer: Socket, target: string): void {
    const ours = connect({ path: target, allowHalfOpen: true });
    peer.on("data", (piece: Buffer) => this.#keep(piece));
    peer.pipe(ours).pipe(peer);
    for (const socket of [peer, ours]) {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {
        peer.destroy();
        ours.destroy();
      });
    }
  }

  #keep(piece: Buffer): void {
    const kept = piece.subarray(0, MOST - this.#size);
    this.#size += kept.length;
    if (kept.length > 0) this.#pieces.push(kept);
  }
}
