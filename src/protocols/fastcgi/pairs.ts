// Name-value pairs of FastCGI 1.0 (specification, 3.4): the content of PARAMS, GET_VALUES and GET_VALUES_RESULT.
// Tested by test/protocols/fastcgi/codec.test.ts.
import { type ErrorName, SallyportError } from "../../exchange/index.ts";

const LONG = 0x80000000;
/** Lengths up to this are one byte, longer ones four. */
const SHORT = 127;

/** `[name, value, ...]`, latin-1, as bytes. */
export function encodePairs(pairs: readonly string[]): Buffer {
  let text = "";
  for (let i = 0; i < pairs.length; i += 2) text += pairText(pairs[i] as string, pairs[i + 1] as string);
  return Buffer.from(text, "latin1");
}

/** One pair, latin-1, as text: every call into a buffer costs more than its bytes. */
export const pairText = (name: string, value: string): string =>
  lengthText(name.length) + lengthText(value.length) + name + value;

function lengthText(length: number): string {
  if (length <= SHORT) return String.fromCharCode(length);
  const long = LONG + length;
  return String.fromCharCode(long >>> 24, (long >>> 16) & 0xff, (long >>> 8) & 0xff, long & 0xff);
}

/**
 * Bytes as `[name, value, ...]`, latin-1. Throws `violation` when they are not pairs: every length is compared with the
 * bytes that there are before it is used (F6).
 */
export function decodePairs(bytes: Buffer, violation: ErrorName): string[] {
  const text = bytes.toString("latin1");
  const pairs: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const nameLength = readLength(bytes, at);
    at += lengthSize(bytes, at);
    const valueLength = readLength(bytes, at);
    at += lengthSize(bytes, at);
    const [middle, end] = [at + nameLength, at + nameLength + valueLength];
    // Also false where a length itself was cut off: it is NaN then.
    if (!(end <= bytes.length))
      throw new SallyportError(violation, "a FastCGI name-value pair is longer than its record");
    pairs.push(text.slice(at, middle), text.slice(middle, end));
    at = end;
  }
  return pairs;
}

const lengthSize = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) > SHORT ? 4 : 1);

function readLength(bytes: Buffer, at: number): number {
  if (lengthSize(bytes, at) === 1) return bytes[at] ?? Number.NaN;
  return at + 4 > bytes.length ? Number.NaN : bytes.readUInt32BE(at) - LONG;
}
