// The configuration's section `admin`: where the admin listener is, and who may ask it.
// Tested by test/admin/settings.test.ts.
import { type ListenPlace, parsePlace } from "./address.ts";
import { about, path, section, text, written } from "./schema.ts";
import * as z from "./zod.ts";

/** Where the admin listener is; an inherited descriptor does not say who can reach it. */
export type AdminPlace = Exclude<ListenPlace, { kind: "fd" }>;

export const ADMIN_PLACE = 'an address such as "127.0.0.1:9000" or "unix:/run/sallyport-admin.sock"';

/** The variable that the token may be in; it is not passed on to applications. */
export const TOKEN_VARIABLE = "SALLYPORT_ADMIN_TOKEN";

export function parseAdminPlace(text: string): AdminPlace | undefined {
  const place = parsePlace(text);
  return place?.kind === "fd" ? undefined : place;
}

const place = written<AdminPlace>(
  "address",
  (value) => parseAdminPlace(String(value)),
  `must be ${ADMIN_PLACE}`,
);

export const adminListener = section({
  listen: about(place, "`host:port` or `unix:PATH`; of this machine only, unless there is a token"),
  token: about(
    text().exactOptional(),
    "what clients must send as `Authorization: Bearer`; better in `tokenFile` or in the variable SALLYPORT_ADMIN_TOKEN",
  ),
  tokenFile: about(path().exactOptional(), "a file with the token"),
});

export const admin = z.union([place.transform((listen) => ({ listen })), adminListener], {
  error: `must be ${ADMIN_PLACE}, or a section: { listen: ADDRESS, tokenFile: FILE }`,
});

/** As it is configured; the token may also be in the environment. */
export type AdminSettings = z.output<typeof adminListener>;
