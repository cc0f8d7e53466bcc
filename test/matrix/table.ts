// docs/matrix.md's tables: which behaviours each cell has, and what is missing on purpose. Derived from the data, not
// from a run: that the cells keep their word is what matrix.test.ts is for.
import { CAPABILITIES, type Capability, lackingFor, suite, themes } from "../../src/testing/index.ts";
import { lacksOf, PAIRS } from "./cells.ts";
import { GATEWAYS } from "./gateways.ts";
import { LISTENERS } from "./listeners.ts";

const gateways = Object.keys(GATEWAYS);
const listeners = Object.keys(LISTENERS);

/** How many cases are run in a cell. */
export const casesIn = (listener: string, gateway: string): number => {
  const lacks = lacksOf(listener, gateway);
  return suite.filter((one) => lackingFor(one, lacks).length === 0).length;
};

/** A table of Markdown with a text for each cell. */
export function cellTable(cell: (listener: string, gateway: string) => string): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(["listener \\ gateway", ...gateways]),
    line(["---", ...gateways.map(() => "---:")]),
    ...listeners.map((listener) => line([listener, ...gateways.map((gateway) => cell(listener, gateway))])),
  ].join("\n");
}

/** What docs/matrix.md gets between `<!-- table: name -->` and `<!-- end -->`. */
export const matrixTables = (): Record<string, string> => ({
  cells: cellTable((listener, gateway) => `${casesIn(listener, gateway)}/${suite.length}`),
  capabilities: capabilityTable(),
  behaviours: behaviourList(),
});

function capabilityTable(): string {
  const lines = Object.entries(CAPABILITIES).map(([name, meaning]) => {
    const without = [
      ...listeners.filter((half) => lacks(LISTENERS[half], name)).map((half) => `listener ${half}`),
      ...gateways.filter((half) => lacks(GATEWAYS[half], name)).map((half) => `gateway ${half}`),
      ...PAIRS.filter((pair) => lacks(pair, name)).map((pair) => `${pair.listener} with ${pair.gateway}`),
    ];
    return `| \`${name}\` | ${meaning} | ${without.join(", ") || "nobody"} |`;
  });
  return ["| capability | meaning | missing in |", "| --- | --- | --- |", ...lines].join("\n");
}

const lacks = (half: { readonly lacks: readonly Capability[] } | undefined, name: string): boolean =>
  half?.lacks.includes(name as Capability) ?? false;

function behaviourList(): string {
  return Object.entries(themes)
    .map(([theme, cases]) => {
      const items = cases.map(({ name, needs = [] }) => `- ${escaped(name)}${needs.map(noted).join("")}`);
      return `### ${theme}\n\n${items.join("\n")}`;
    })
    .join("\n\n");
}

const noted = (capability: Capability): string => ` (\`${capability}\`)`;
const escaped = (text: string): string => text.replace(/[*_<>|]/g, "\\$&");
