// TLS at the addresses that have it. Certificates and keys are read before we listen, and again when their files change.
// Tested by test/server/tls.test.ts.
import type { Socket } from "node:net";
import { NOWHERE } from "../config/error-lines.ts";
import { atAddress, located, readFiles } from "../config/tls-files.ts";
import { type Log, SallyportError } from "../exchange/index.ts";
import type { TlsSettings } from "../sockets/tls/index.ts";

import { rightsHint } from "./privileges.ts";

type Accept = (socket: Socket) => void;
type TlsAcceptor = import("../sockets/tls/index.ts").TlsAcceptor;

/** The protocols offered by ALPN, the best first. */
const PROTOCOLS = ["h2", "http/1.1", "http/1.0"] as const;
/** Milliseconds between two checks of the files: certbot renews weeks before a certificate expires. */
const CHECK_INTERVAL = 60_000;

interface TlsAddress {
  readonly settings: TlsSettings;
  readonly acceptor: TlsAcceptor;
  /** Of the files when they were last read. */
  signature: string;
}

export class Encryption {
  readonly #directory: string;
  readonly #log: Log;
  readonly #addresses: TlsAddress[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /**
   * A function for the connections of the address with this `index` in `listen`: it decrypts them and calls `accept`.
   * Rejects with CONFIG_INVALID.
   */
  async acceptAt(written: TlsSettings, index: number, accept: Accept): Promise<Accept> {
    const { TlsAcceptor, signatureOf } = await import("../sockets/tls/index.ts");
    const settings = located(written, this.#directory);
    const signature = await signatureOf(settings);
    const keys = await readFiles(settings, atAddress(index, NOWHERE));
    this.#warn(keys.warnings);
    const acceptor = new TlsAcceptor({
      accept,
      contexts: keys,
      settings,
      protocols: PROTOCOLS,
      log: this.#log,
    });
    this.#addresses.push({ settings, acceptor, signature });
    this.#timer ??= setInterval(() => void this.renewChanged(), CHECK_INTERVAL).unref();
    return (socket) => acceptor.accept(socket);
  }

  /** Reads all files again. Rejects with CONFIG_INVALID for faulty ones, whose earlier content stays in use. */
  reload(): Promise<void> {
    return this.#inTurn(() => this.#refresh(this.#addresses));
  }

  /** Reads the files that have changed, and logs their faults once. */
  renewChanged(): Promise<void> {
    return this.#inTurn(async () => {
      const { signatureOf } = await import("../sockets/tls/index.ts");
      const changed: TlsAddress[] = [];
      for (const address of this.#addresses)
        if (address.signature !== (await signatureOf(address.settings))) changed.push(address);
      await this.#refresh(changed).catch((error) => this.#logFailure(SallyportError.from(error)));
    });
  }

  /** Connections that have not finished their handshake `patience` milliseconds from now end. */
  async close(patience: number): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#addresses.map(({ acceptor }) => acceptor.close(patience)));
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#reading.then(act);
    this.#reading = turn.catch(() => {});
    return turn;
  }

  async #refresh(addresses: readonly TlsAddress[]): Promise<void> {
    const results = await Promise.allSettled(addresses.map((address) => this.#renew(address)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #renew(address: TlsAddress): Promise<void> {
    const { signatureOf } = await import("../sockets/tls/index.ts");
    // Before the files are read, so that the next check sees a change made meanwhile.
    address.signature = await signatureOf(address.settings);
    const keys = await readFiles(address.settings, ({ message }) => message);
    address.acceptor.setContexts(keys);
    this.#warn(keys.warnings);
    this.#log.info(`certificates were read again: ${address.settings.cert}`);
  }

  #logFailure({ message, code, detail }: SallyportError): void {
    this.#log.error(`changed certificates cannot be used and the old ones stay: ${message}${rightsHint()}`, {
      code,
      detail,
    });
  }

  #warn(warnings: readonly string[]): void {
    for (const warning of warnings) this.#log.warn(warning);
  }
}
