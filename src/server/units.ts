// Sizes and times as people write them: "10M", "1.5G", "30s", "500ms", or plain numbers (octets; seconds).

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i;
const TIME = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/i;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};
const TIME_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Longest wait a timer of Node can hold, in milliseconds: about 24.8 days. */
const LONGEST = 2 ** 31 - 1;

/** Octets, or undefined when `text` is no size. Units are powers of 1024. */
export function parseSize(text: string | number): number | undefined {
  const [, digits, unit = ""] = SIZE.exec(String(text).trim()) ?? [];
  if (digits === undefined) return undefined;
  const octets = Math.round(Number(digits) * (SIZE_UNITS[unit.toLowerCase()] as number));
  return Number.isSafeInteger(octets) ? octets : undefined;
}

/** Milliseconds, or undefined when `text` is no time. A number without a unit is seconds. */
export function parseTime(text: string | number): number | undefined {
  const [, digits, unit = "s"] = TIME.exec(String(text).trim()) ?? [];
  if (digits === undefined) return undefined;
  const milliseconds = Math.round(Number(digits) * (TIME_UNITS[unit.toLowerCase()] as number));
  return milliseconds <= LONGEST ? milliseconds : undefined;
}

/** The shortest way to write octets: 65536 is "64K". */
export function sizeText(octets: number): string {
  const unit = ["t", "g", "m", "k"].find((name) => octets > 0 && octets % (SIZE_UNITS[name] as number) === 0);
  return unit ? `${octets / (SIZE_UNITS[unit] as number)}${unit.toUpperCase()}` : String(octets);
}

/** The shortest way to write milliseconds: 10000 is "10s". */
export const timeText = (milliseconds: number): string =>
  milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
