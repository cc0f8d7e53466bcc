// Module hooks (Node, "Customization Hooks") that load TypeScript of this checkout.
import { fileURLToPath } from "node:url";
import { codeOf } from "./code.mjs";

const ROOT = new URL("../../..", import.meta.url).href;
const SOURCE = /\.ts(?=$|\?)/;

/** Our imports name files: there is nothing to look for. */
export function resolve(specifier, context, next) {
  if (!context.parentURL?.startsWith(ROOT) || !/^\.\.?\//.test(specifier) || !SOURCE.test(specifier))
    return next(specifier, context);
  return { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true };
}

export function load(url, context, next) {
  if (!url.startsWith(ROOT) || !SOURCE.test(url) || url.includes("/node_modules/")) return next(url, context);
  return { format: "module", source: codeOf(fileURLToPath(url)), shortCircuit: true };
}
