// Checks that dissected fields lie side by side: every byte of a message belongs to exactly one field.
import assert from "node:assert/strict";
import type { WireField } from "../../src/wire/fields.ts";

export function assertCovers(
  fields: readonly WireField[],
  from: number,
  to: number,
  inside = "the message",
): void {
  let at = from;
  for (const field of fields) {
    assert.equal(field.from, at, `${inside}: ${field.name} begins at ${field.from}, not ${at}`);
    assert.ok(field.to >= field.from, `${inside}: ${field.name}`);
    if (field.fields && field.to > field.from) assertCovers(field.fields, field.from, field.to, field.name);
    at = field.to;
  }
  assert.equal(at, to, `${inside} ends at ${to}, its fields at ${at}`);
}

/** The field at this path of names. */
export function fieldAt(fields: readonly WireField[], ...path: readonly string[]): WireField {
  const [name, ...rest] = path;
  const found = fields.find((field) => field.name === name);
  assert.ok(found, `no field ${name} among ${fields.map((field) => field.name).join(", ")}`);
  return rest.length === 0 ? found : fieldAt(found.fields ?? [], ...rest);
}
