// TLS at the addresses that have it. Certificates and keys are read before we listen, and again when their files change.
// Tested by test/server/tls.test.ts.
import type { Socket } from "node:net";
import { NOWHERE } from "../config/error-lines.ts";
import { atAddress, located, readFiles } from "../config/tls-files.ts";
import { type Log, SallyportError } from "../exchange/index.ts";
import { type Agree, alone } from "../exchange/reloads.ts";
import type { SecureContexts, TlsSettings } from "../sockets/tls/index.ts";
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
  /** Of the files when they were last read, and could be used. */
  signature: string;
}

interface ReadAddress {
  readonly address: TlsAddress;
  readonly signature: string;
  readonly keys: SecureContexts;
}

export class Encryption {
  readonly #directory: string;
  readonly #log: Log;
  readonly #addresses: TlsAddress[] = [];
  /** Of the last check: what has been logged already. */
  #failures: ReadonlySet<string> = new Set();
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

  /** Reads all files again. Rejects with CONFIG_INVALID for faulty ones; then the earlier content of all stays in use. */
  reload(agree: Agree = alone): Promise<void> {
    return this.#inTurn(async () => {
      const all = await Promise.all(this.#addresses.map((address) => this.#read(address)));
      await agree();
      for (const read of all) this.#use(read);
    });
  }

  /** Reads the files that have changed. Faulty ones are read again by the next check, and logged once. */
  renewChanged(): Promise<void> {
    return this.#inTurn(async () => {
      const { signatureOf } = await import("../sockets/tls/index.ts");
      const failures = new Map<string, SallyportError>();
      for (const address of this.#addresses) {
        if (address.signature === (await signatureOf(address.settings))) continue;
        try {
          this.#use(await this.#read(address));
        } catch (reason) {
          const error = SallyportError.from(reason);
          failures.set(error.message + error.detail, error);
        }
      }
      for (const [text, error] of failures) if (!this.#failures.has(text)) this.#logFailure(error);
      this.#failures = new Set(failures.keys());
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

  async #read(address: TlsAddress): Promise<ReadAddress> {
    const { signatureOf } = await import("../sockets/tls/index.ts");
    // Before the files are read, so that the next check sees a change made meanwhile.
    const signature = await signatureOf(address.settings);
    return { address, signature, keys: await readFiles(address.settings, ({ message }) => message) };
  }

  #use({ address, signature, keys }: ReadAddress): void {
    address.signature = signature;
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
