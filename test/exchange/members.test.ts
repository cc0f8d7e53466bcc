// Those that come and go with connections and requests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type MemberOf, Members } from "../../src/exchange/members.ts";

const held = (value: string): MemberOf<string> => ({ place: -1, value });
const values = (members: Members<MemberOf<string>>): string[] =>
  [...members].map(({ value }) => value).sort();

test("who has come and not gone is here, once", () => {
  const members = new Members<MemberOf<string>>();
  const [a, b, c] = [held("a"), held("b"), held("c")];
  for (const one of [a, b, c, a]) members.add(one);
  assert.deepEqual([members.size, values(members)], [3, ["a", "b", "c"]]);
  assert.equal(members.delete(a), true);
  assert.equal(members.delete(a), false);
  assert.deepEqual(values(members), ["b", "c"]);
  assert.equal(members.delete(c), true);
  members.add(a);
  assert.deepEqual([members.size, values(members)], [2, ["a", "b"]]);
  const others = new Members<MemberOf<string>>();
  others.add(c);
  assert.equal(members.delete(c), false);
  assert.deepEqual([values(members), values(others)], [["a", "b"], ["c"]]);
});

test("a member deleted during an iteration is skipped, and no other", () => {
  const members = new Members<MemberOf<string>>();
  const all = ["a", "b", "c", "d"].map(held);
  for (const one of all) members.add(one);
  const asked: string[] = [];
  for (const one of members) {
    asked.push(one.value);
    members.delete(one);
    members.delete(all[1] as MemberOf<string>);
  }
  assert.deepEqual(asked, ["a", "c", "d"]);
  assert.equal(members.size, 0);
});
