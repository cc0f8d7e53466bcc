// Those that come and go with connections and requests. Not a Set: V8 gives one new tables as entries come and go, each old
// table keeps the next alive, and once one of them is in old space all that ever was in them outlives young collections.

export interface Member {
  /** Where it is among the members; -1 when it is not. For Members alone. */
  place: number;
}

/** A member that is somebody else's object. */
export interface Entry<T> extends Member {
  readonly value: T;
}

export class Members<M extends Member> {
  readonly #all: M[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(member: M): void {
    if (member.place >= 0) return;
    member.place = this.#all.length;
    this.#all.push(member);
  }

  /** False when it was none. */
  delete(member: M): boolean {
    const { place } = member;
    if (place < 0) return false;
    const last = this.#all.pop() as M;
    if (last !== member) this.#all[place] = last;
    last.place = place;
    member.place = -1;
    return true;
  }

  /** Those that are here when it begins, without those that have gone before their turn; in no order. */
  *[Symbol.iterator](): Generator<M> {
    for (const member of [...this.#all]) if (member.place >= 0) yield member;
  }
}
