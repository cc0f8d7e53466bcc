// The listening socket that a FastCGI process of ours gets as descriptor 0 (specification, 2.2): made here, and left to it.
// Tested by test/protocols/fastcgi/server/replaced.test.ts.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { guard } from "../../../processes/index.ts";
import { makeSocketDirectory } from "../../../sockets/socket-path.ts";
import { listening } from "../../../sockets/unix-path.ts";

export interface ChildSocket {
  /** For the child's standard input. */
  readonly descriptor: number;
  readonly address: string;
  /** To be called when the child has the socket: from then on it can be connected to at `address`. */
  handOver(): Promise<void>;
  /** Removes its file, if it has one: its child has ended. Never rejects. */
  remove(): Promise<void>;
}

/** A socket is called by its number; this many bytes are enough for all. */
const LONGEST_NAME = "9999999999".length;

/** Sockets in a directory of their own, which is made when the first is, and again when something has removed it. */
export class ChildSockets {
  #directory = "";
  #making: Promise<void> | undefined;
  /** Sockets that were made. */
  #count = 0;

  async listen(transport: "unix" | "tcp"): Promise<ChildSocket> {
    if (transport === "tcp") return listenTcp();
    this.#making ??= this.#makeDirectory().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
    return listenUnix(join(this.#directory, `${++this.#count}`));
  }

  async remove(): Promise<void> {
    if (this.#directory === "") return;
    await rm(this.#directory, { recursive: true, force: true });
    guard.releaseDirectory(this.#directory);
  }

  /** Only this user may enter it, and so connect. */
  async #makeDirectory(): Promise<void> {
    if (this.#directory !== "" && existsSync(this.#directory)) return;
    const missing = this.#directory;
    this.#directory = await makeSocketDirectory(LONGEST_NAME);
    guard.enlistDirectory(this.#directory);
    if (missing !== "") guard.releaseDirectory(missing);
  }
}

/** Node has no public way to hand a listening socket to a child that is not Node. libuv makes it blocking again there. */
const descriptorOf = (server: Server): number =>
  (server as unknown as { _handle: { fd: number } })._handle.fd;

const newServer = (): Server => createServer((socket) => socket.destroy());

/** Once the child has it, a server here would only take connections that are the child's. */
async function close(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

async function listenTcp(): Promise<ChildSocket> {
  const server = newServer();
  await listening(server, { port: 0, host: "127.0.0.1" });
  const { port } = server.address() as AddressInfo;
  const handOver = (): Promise<void> => close(server);
  return { descriptor: descriptorOf(server), address: `127.0.0.1:${port}`, handOver, remove: async () => {} };
}

/**
 * Closing the server removes the path that it was bound to, so the file has another name meanwhile; then it has the first
 * again, because systemd-tmpfiles spares sockets only at the paths that they were bound to (/proc/net/unix).
 */
async function listenUnix(path: string): Promise<ChildSocket> {
  const server = newServer();
  await listening(server, { path });
  const kept = `${path}.kept`;
  await rename(path, kept);
  const handOver = async (): Promise<void> => {
    await close(server);
    await rename(kept, path);
  };
  const remove = (): Promise<void> => rm(path, { force: true }).catch(() => {});
  return { descriptor: descriptorOf(server), address: `unix:${path}`, handOver, remove };
}
