// The tables of docs/configuration.md, from the schema.

import { adminListener } from "./admin.ts";
import { APP_KINDS, spawned } from "./apps.ts";
import { config, log, route } from "./config.ts";
import { rlimits } from "./isolation.ts";
import { fastcgiLimits, http2Limits, limits, socketLimits, websocketLimits } from "./limits.ts";
import { listenAddress } from "./listen.ts";
import { processBounds } from "./schema.ts";
import { tls } from "./tls.ts";
import * as z from "./zod.ts";

interface JsonSchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

const SECTIONS = {
  config,
  listen: listenAddress,
  "listen.tls": tls,
  ...APP_KINDS,
  spawned,
  processes: processBounds,
  admin: adminListener,
  rlimits,
  routes: route,
  limits,
  "limits.http2": http2Limits,
  "limits.websocket": websocketLimits,
  "limits.fastcgi": fastcgiLimits,
  "limits.scgi": socketLimits,
  log,
};

/** A Markdown table for each section of the configuration, by its name. */
export function configTables(): Record<string, string> {
  return Object.fromEntries(Object.entries(SECTIONS).map(([name, schema]) => [name, tableOf(schema)]));
}

function tableOf(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  const rows = Object.entries(json.properties ?? {}).map(([key, value]) =>
    row(key, value, json.required ?? []),
  );
  return `| key | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join("")}`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

function row(key: string, schema: JsonSchema, required: readonly string[]): string {
  const fallback = required.includes(key) ? "required" : defaultText(schema.default);
  return `| \`${key}\` | ${cell(typeText(schema))} | ${cell(fallback)} | ${cell(schema.description ?? "")} |\n`;
}

function defaultText(value: unknown): string {
  if (value === undefined || JSON.stringify(value) === "{}") return "";
  return `\`${JSON.stringify(value)}\``;
}

/** The type in a few words: the title where a schema has one (size, time, path). */
function typeText(schema: JsonSchema): string {
  if (schema.title) return schema.title;
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(" or ");
  if ("const" in schema) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeText))].join(" or ");
  if (schema.type === "array") return `list of ${typeText(schema.items ?? {})}`;
  return TYPES[schema.type ?? ""] ?? schema.type ?? "any";
}

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  object: "section",
};
