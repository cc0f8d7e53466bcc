// TLS at the addresses that have it: keys that are read before anybody listens, and again when their files change.
import type { Socket } from "node:net";
import { NOWHERE } from "../config/errors.ts";
import { atAddress, located, readFiles } from "../config/tls-files.ts";
import { type Log, SallyportError } from "../exchange/index.ts";
import type { TlsSettings } from "../sockets/tls/index.ts";

type Accept = (socket: Socket) => void;
type Entrance = import("../sockets/tls/index.ts").TlsAcceptor;

/** What is spoken within TLS, the best first. */
const PROTOCOLS = ["h2", "http/1.1", "http/1.0"] as const;
/** How often the files are looked at, in milliseconds: certbot renews weeks before it must. */
const LOOK = 60_000;

interface Place {
  readonly settings: TlsSettings;
  readonly entrance: Entrance;
  /** Of the files when they were read last. */
  signature: string;
}

export class Encryption {
  readonly #directory: string;
  readonly #log: Log;
  readonly #places: Place[] = [];
  #watch: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /**
   * What to do with the connections of the address that is `index` of `listen`: TLS is taken off, and then `accept`.
   * Rejects with CONFIG_INVALID.
   */
  async acceptAt(written: TlsSettings, index: number, accept: Accept): Promise<Accept> {
    const { TlsAcceptor, signatureOf } = await import("../sockets/tls/index.ts");
    const settings = located(written, this.#directory);
    const signature = await signatureOf(settings);
    const keys = await readFiles(settings, atAddress(index, NOWHERE));
    this.#warn(keys.warnings);
    const entrance = new TlsAcceptor({
      accept,
      contexts: keys,
      settings,
      protocols: PROTOCOLS,
      log: this.#log,
    });
    this.#places.push({ settings, entrance, signature });
    this.#watch ??= setInterval(() => void this.look(), LOOK).unref();
    return (socket) => entrance.accept(socket);
  }

  /** Reads all files again. Rejects with CONFIG_INVALID for those that are wrong; what was read before stays. */
  reload(): Promise<void> {
    return this.#inTurn(() => this.#refresh(this.#places));
  }

  /** Reads those that have changed, and tells the log what is wrong with them, once. */
  look(): Promise<void> {
    return this.#inTurn(async () => {
      const { signatureOf } = await import("../sockets/tls/index.ts");
      const changed: Place[] = [];
      for (const place of this.#places)
        if (place.signature !== (await signatureOf(place.settings))) changed.push(place);
      await this.#refresh(changed).catch((error) => this.#complain(SallyportError.from(error)));
    });
  }

  /** Connections that have not finished their handshake end. */
  close(): void {
    clearInterval(this.#watch);
    for (const { entrance } of this.#places) entrance.close();
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#reading.then(act);
    this.#reading = turn.catch(() => {});
    return turn;
  }

  async #refresh(places: readonly Place[]): Promise<void> {
    const results = await Promise.allSettled(places.map((place) => this.#renew(place)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #renew(place: Place): Promise<void> {
    const { signatureOf } = await import("../sockets/tls/index.ts");
    // Before the reading: what changes meanwhile is seen the next time.
    place.signature = await signatureOf(place.settings);
    const keys = await readFiles(place.settings, ({ message }) => message);
    place.entrance.setContexts(keys);
    this.#warn(keys.warnings);
    this.#log.info(`certificates were read again: ${place.settings.cert}`);
  }

  #complain({ message, code, detail }: SallyportError): void {
    this.#log.error(`changed certificates cannot be used and the old ones stay: ${message}`, {
      code,
      detail,
    });
  }

  #warn(warnings: readonly string[]): void {
    for (const warning of warnings) this.#log.warn(warning);
  }
}
