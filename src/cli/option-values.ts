// The kinds of values that options have: how the text of each is read, and what it has to be.
// Tested by test/cli/options.test.ts.
import { isIP } from "node:net";
import { type ListenAddress, parsePlace } from "../config/address.ts";
import { ADMIN_PLACE, parseAdminPlace } from "../config/admin.ts";
import type { Protocol } from "../config/protocols.ts";
import { A_POSITIVE_TIME, A_SIZE, A_TIME, parsePositiveTime, parseSize, parseTime } from "../config/units.ts";
import type { ProcessBounds } from "../exchange/index.ts";
import { isAccount } from "../options/isolation.ts";
import { parseTrust, type TrustRule } from "../proxies/trust.ts";

export interface OptionValue<T = unknown> {
  /** The placeholder of the value; absent for a switch. */
  readonly value?: string;
  /** The value of a text, or undefined when it is not `expected`. */
  readonly read: (text: string) => T | undefined;
  readonly expected?: string;
}

const isTrue = (): true => true;
const wholeNumber = (least: number, most: number) => (text: string) => {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
};
const octal = (fits: RegExp) => (text: string) => (fits.test(text) ? Number.parseInt(text, 8) : undefined);
/** The text itself, when it `fits`. */
const checked = (fits: (text: string) => boolean) => (text: string) => (fits(text) ? text : undefined);

export const noValue = { read: isTrue } as const;
/** With a placeholder of its own. */
export const textValue = {
  read: checked((value) => value !== ""),
  expected: "a text that is not empty",
} as const;
export const countValue = {
  value: "N",
  read: wholeNumber(1, 1_000_000),
  expected: "a whole number from 1 to 1000000",
} as const;
/** 0 for no limit. */
export const limitValue = {
  value: "N",
  read: wholeNumber(0, 1_000_000),
  expected: "a whole number from 0 (no limit) to 1000000",
} as const;
export const sizeValue = { value: "SIZE", read: parseSize, expected: A_SIZE } as const;
export const timeValue = { value: "TIME", read: parseTime, expected: A_TIME } as const;
export const positiveTimeValue = {
  value: "TIME",
  read: parsePositiveTime,
  expected: A_POSITIVE_TIME,
} as const;

export const choiceOf = <const T extends string>(
  known: readonly T[],
  expected = `one of ${known.join(", ")}`,
) =>
  ({
    value: known.join("|"),
    read: (value: string): T | undefined => known.find((each) => each === value),
    expected,
  }) as const;

export const portValue = {
  value: "PORT",
  read: wholeNumber(0, 65_535),
  expected: "a number from 0 to 65535",
} as const;
export const descriptorValue = {
  value: "N",
  read: wholeNumber(0, 65_535),
  expected: "the number of a descriptor, from 0 to 65535",
} as const;
export const modeValue = {
  value: "MODE",
  read: octal(/^[0-7]{3,4}$/),
  expected: "an octal mode such as 660",
} as const;
/** As umask(1) takes it: 0, 22, 027. */
export const maskValue = {
  value: "MASK",
  read: octal(/^[0-7]{1,4}$/),
  expected: "an octal mask such as 027",
} as const;

/** Addresses for `protocol`. */
export const addressesFor = (protocol: Protocol) =>
  ({
    value: "ADDRESS",
    many: true,
    read: (text: string): ListenAddress | undefined => {
      const place = parsePlace(text);
      return place && { protocol, ...place };
    },
    expected: "HOST:PORT, unix:PATH or fd:N",
  }) as const;
export const adminAddressValue = { value: "ADDRESS", read: parseAdminPlace, expected: ADMIN_PLACE } as const;
export const ipAddressValue = {
  value: "ADDRESS",
  read: checked((value) => isIP(value) > 0),
  expected: "an IP address",
} as const;
export const peerValue = {
  value: "PEER",
  read: (text: string): TrustRule | undefined => parseTrust(text),
  expected: "an address, a range such as 10.0.0.0/8, unix: or *",
} as const;

export const prefixValue = {
  value: "PREFIX",
  read: checked((value) => value.startsWith("/")),
  expected: "a path that starts with /",
} as const;
/** uWSGI's has the app behind it (/shop=shop.py), and no request would be below such a path. */
export const mountValue = {
  ...prefixValue,
  read: checked((value) => /^\/[^=]*$/.test(value)),
  expected: "a path that starts with / (the app is the target)",
} as const;
export const variableValue = {
  value: "NAME=VALUE",
  read: checked((value) => /^[^=\0]+=/.test(value)),
  expected: "of the form NAME=VALUE",
} as const;
export const fieldValue = {
  value: "LINE",
  read: checked((line) => /^[^:\s]+:[^\r\n]*$/.test(line)),
  expected: "a header field such as 'Accept: */*'",
} as const;
export const userValue = {
  value: "USER",
  read: checked(isAccount),
  expected: "the name or number of a user",
} as const;
export const groupValue = {
  value: "GROUP",
  read: checked(isAccount),
  expected: "the name or number of a group",
} as const;

export const processesValue = {
  value: "N|MIN:MAX",
  read: readProcesses,
  expected: "a whole number from 1, or MIN:MAX such as 1:4",
} as const;

function readProcesses(text: string): number | ProcessBounds | undefined {
  const [least, most, ...more] = text.split(":").map(wholeNumber(0, 1_000_000));
  if (most === undefined && !text.includes(":")) return least || undefined;
  const isValid =
    least !== undefined && most !== undefined && more.length === 0 && most >= Math.max(least, 1);
  return isValid ? { min: least, max: most } : undefined;
}
