// The configuration's keys about proxies in front: `trust` and `forwarded`.
// Tested by test/config/config.test.ts.

import { FORWARDED, FORWARDED_FIELDS } from "../proxies/forwarded.ts";
import { parseTrust, type TrustRule } from "../proxies/trust.ts";
import { about, written } from "./schema.ts";
import * as z from "./zod.ts";

const A_PEER =
  'must be an address such as "127.0.0.1", a range such as "10.0.0.0/8", "unix:" (peers over Unix sockets) or "*"';
const peer = written<TrustRule>("peer", (value) => parseTrust(String(value)), A_PEER);

export const trust = about(
  z.array(peer).prefault([]),
  "proxies in front that are believed: addresses, ranges (`10.0.0.0/8`), `unix:`, `*`; see [proxies](proxies.md)",
);

export const forwarded = about(
  z
    .array(z.enum(FORWARDED).meta({ title: "header" }))
    .min(1)
    .prefault([...FORWARDED_FIELDS]),
  "their headers that are honoured; best only those that they set",
);
