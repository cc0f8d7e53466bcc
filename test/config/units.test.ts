import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration, parseSize, parseTime, sizeText, timeText } from "../../src/config/units.ts";

const SIZES: [string | number, number | undefined][] = [
  [0, 0],
  [65536, 65536],
  ["65536", 65536],
  ["10M", 10 * 2 ** 20],
  ["10 MiB", 10 * 2 ** 20],
  ["1.5k", 1536],
  ["1gb", 2 ** 30],
  ["", undefined],
  ["-1", undefined],
  ["1X", undefined],
  ["1e9", undefined],
  ["9999999999T", undefined],
  ["1P", 2 ** 50],
];

const TIMES: [string | number, number | undefined][] = [
  [30, 30_000],
  [0.25, 250],
  ["30", 30_000],
  ["500ms", 500],
  ["2 m", 120_000],
  ["1h", 3_600_000],
  ["1d", 86_400_000],
  ["2w", 14 * 86_400_000],
  ["1min", 60_000],
  ["1h 30m", 5_400_000],
  ["1m30s250ms", 90_250],
  ["1h, 30m", undefined],
  ["1h 30", undefined],
  ["30 1h", undefined],
  ["25d", undefined],
  ["1y", undefined],
  ["", undefined],
  ["-3", undefined],
  ["999999h", undefined],
];

for (const [text, bytes] of SIZES) {
  test(`the size ${JSON.stringify(text)} is ${bytes ?? "refused"}`, () =>
    assert.equal(parseSize(text), bytes));
}

for (const [text, milliseconds] of TIMES) {
  test(`the time ${JSON.stringify(text)} is ${milliseconds ?? "refused"}`, () =>
    assert.equal(parseTime(text), milliseconds));
}

test("a time that nothing waits for may be as long as a year", () => {
  assert.deepEqual(["1y", "52w", "1.5d", 60, "x"].map(parseDuration), [
    365 * 86_400_000,
    364 * 86_400_000,
    129_600_000,
    60_000,
    undefined,
  ]);
});

test("sizes and times are written in their shortest form, which is read back", () => {
  assert.deepEqual([65536, 2 ** 31, 1000, 0].map(sizeText), ["64K", "2G", "1000", "0"]);
  assert.deepEqual([10_000, 250].map(timeText), ["10s", "250ms"]);
  for (const bytes of [65536, 2 ** 31, 1000, 0]) assert.equal(parseSize(sizeText(bytes)), bytes);
  for (const milliseconds of [10_000, 250]) assert.equal(parseTime(timeText(milliseconds)), milliseconds);
});
