// The listening sockets of a cluster as its configuration names them. A reload binds what is new at first, and closes what is
// gone when the last process that accepts from it is about to leave.
// Tested by test/cluster/addresses.test.ts.
import { addressIn, addressText, type ListenAddress } from "../config/address.ts";
import { placeKeys } from "../server/change.ts";
import { type Reserved, reserve } from "./sockets.ts";

export class SharedSockets {
  readonly addresses: readonly ListenAddress[];
  readonly #reserved: ReadonlyMap<string, Reserved>;

  private constructor(addresses: readonly ListenAddress[], reserved: ReadonlyMap<string, Reserved>) {
    this.addresses = addresses;
    this.#reserved = reserved;
  }

  /** Binds all of them, whose paths start in `directory`, or takes them over from `present`. Rejects with ADDRESS_UNUSABLE and leaves nothing behind. */
  static async open(
    listen: readonly ListenAddress[],
    directory: string,
    present?: SharedSockets,
  ): Promise<SharedSockets> {
    const addresses = listen.map((address) => addressIn(directory, address));
    const reserved = new Map<string, Reserved>();
    const sockets = new SharedSockets(addresses, reserved);
    try {
      for (const [i, key] of placeKeys(addresses).entries())
        reserved.set(key, present?.socketAt(key) ?? (await reserve(addresses[i] as ListenAddress)));
    } catch (error) {
      sockets.close(present);
      throw error;
    }
    return sockets;
  }

  get descriptors(): number[] {
    return [...this.#reserved.values()].map(({ fd }) => fd);
  }

  get urls(): string[] {
    return [...this.#reserved.values()].map(({ place }, i) => this.#urlAt(place, i));
  }

  /** By its place key. */
  socketAt(key: string): Reserved | undefined {
    return this.#reserved.get(key);
  }

  /** URLs of sockets that `others` has not. */
  urlsBeside(others: SharedSockets): string[] {
    const beside = [...this.#reserved.keys()].map((key) => !others.socketAt(key));
    return this.urls.filter((_, i) => beside[i]);
  }

  /** Closes all that are not in `kept` as well. */
  close(kept?: SharedSockets): void {
    for (const [key, socket] of this.#reserved) if (!kept?.socketAt(key)) socket.close();
  }

  #urlAt(place: Reserved["place"], i: number): string {
    const { protocol, tls } = this.addresses[i] as ListenAddress;
    return addressText({ protocol, ...(tls ? { tls } : {}), ...place });
  }
}
