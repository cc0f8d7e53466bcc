// Reads the text of metrics: line by line, or with Prometheus's own parser for Python, which knows the format better than we do.
import { execFileSync } from "node:child_process";
import { VENV_PYTHON } from "../kit/needs.ts";

const PARSE = `import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse
json.dump([[s.name, s.labels, s.value] for family in parse(sys.stdin.read()) for s in family.samples], sys.stdout)`;

type Labels = Readonly<Record<string, string>>;

export interface Samples {
  get(name: string, labels: Labels): number | undefined;
}

/** By Prometheus's parser. Throws when it does not like the text. */
export function parseMetrics(text: string): Samples {
  const json = execFileSync(VENV_PYTHON, ["-c", PARSE], { input: text, encoding: "utf8" });
  const found = JSON.parse(json) as [string, Labels, number][];
  const all = new Map(found.map(([name, labels, value]) => [keyOf(name, labels), value]));
  return { get: (name, labels) => all.get(keyOf(name, labels)) };
}

const keyOf = (name: string, labels: Labels): string => JSON.stringify([name, Object.entries(labels).sort()]);

/** The values, by name with labels as they stand there. */
export function samplesIn(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}
