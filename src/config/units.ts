// Sizes and times as people write them, and as nginx and systemd take them: "10M", "1.5G", "30s", "500ms", "1h 30m", "1d",
// or plain numbers (bytes; seconds). Months are left out: nginx's "1M" would be a minute everywhere else.

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i;
const PLAIN = /^\d+(?:\.\d+)?$/;
const PART = /\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w|y)/giy;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};
const DAY = 86_400_000;
const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: DAY,
  w: 7 * DAY,
  y: 365 * DAY,
};

/** Longest wait a timer of Node can hold, in milliseconds: about 24.8 days. */
const LONGEST = 2 ** 31 - 1;

/** Bytes, or undefined when `text` is no size. Units are powers of 1024. */
export function parseSize(text: string | number): number | undefined {
  const [, digits, unit = ""] = SIZE.exec(String(text).trim()) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Math.round(Number(digits) * (SIZE_UNITS[unit.toLowerCase()] as number));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** For errors: what was expected. */
export const A_SIZE = "a size such as 65536, 64K or 10M";
export const A_TIME = "a time such as 30 (seconds), 500ms, 2m or 1d, at most 24 days";
export const A_POSITIVE_TIME = `${A_TIME}, and more than 0`;
export const A_DURATION = "a time such as 30 (seconds), 10m, 7d or 1y";

/** Milliseconds that a timer can wait, or undefined when `text` is no such time. A number without a unit is seconds. */
export function parseTime(text: string | number): number | undefined {
  const milliseconds = parseDuration(text);
  return milliseconds !== undefined && milliseconds <= LONGEST ? milliseconds : undefined;
}

/** The same, but not 0. */
export const parsePositiveTime = (text: string | number): number | undefined => parseTime(text) || undefined;

/** The same without a limit: no timer waits for the age of a file. */
export function parseDuration(text: string | number): number | undefined {
  const trimmed = String(text).trim();
  const milliseconds = Math.round(PLAIN.test(trimmed) ? Number(trimmed) * 1000 : sumOfParts(trimmed));
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** "1h 30m"; NaN when anything else stands in it, or nothing. */
function sumOfParts(text: string): number {
  const parts = [...text.matchAll(PART)];
  const length = parts.reduce((sum, [part]) => sum + part.length, 0);
  if (parts.length === 0 || length < text.length) return Number.NaN;
  return parts.reduce((sum, [, digits, unit = ""]) => sum + Number(digits) * unitOf(unit), 0);
}

const unitOf = (name: string): number => TIME_UNITS[name.toLowerCase()] as number;

/** The shortest way to write bytes: 65536 is "64K". */
export function sizeText(bytes: number): string {
  const unit = ["p", "t", "g", "m", "k"].find(
    (name) => bytes > 0 && bytes % (SIZE_UNITS[name] as number) === 0,
  );
  return unit ? `${bytes / (SIZE_UNITS[unit] as number)}${unit.toUpperCase()}` : String(bytes);
}

/** The shortest way to write milliseconds: 10000 is "10s". */
export const timeText = (milliseconds: number): string =>
  milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
