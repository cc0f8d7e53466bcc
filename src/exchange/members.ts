// A set of objects that come and go with connections and requests. Not a Set: V8 gives a Set new tables as entries come and
// go, each old table keeps the next alive, and once one of them is in old space, all former entries outlive young collections.

export interface Member {
  /** Its index among the members; -1 when it is none. Only Members writes it. */
  place: number;
}

/** An object that cannot be a member itself, in one that can. */
export interface MemberOf<T> extends Member {
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

  /** False when it was no member. */
  delete(member: M): boolean {
    const { place } = member;
    if (place < 0 || this.#all[place] !== member) return false;
    const last = this.#all.pop() as M;
    if (last !== member) this.#all[place] = last;
    last.place = place;
    member.place = -1;
    return true;
  }

  /** The members at the start of the iteration, without those deleted before their turn; in no order. */
  *[Symbol.iterator](): Generator<M> {
    for (const member of [...this.#all]) if (member.place >= 0) yield member;
  }
}
