// The configuration's section `listen`.
// Tested by test/config/config.test.ts.

import { type ListenAddress, parseAddress } from "./address.ts";
import { about, flag, mode, section, text, written } from "./schema.ts";
import { tls } from "./tls.ts";
import * as z from "./zod.ts";

const AN_ADDRESS =
  'must be an address such as "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock", "fd:3" or "fastcgi://127.0.0.1:9000"';
const addressText = written<ListenAddress>("address", (value) => parseAddress(String(value)), AN_ADDRESS);

/** No web server speaks these protocols within TLS. */
const ONLY_HTTP =
  "is for HTTP only, not for FastCGI, SCGI or uwsgi: use a Unix socket, or a tunnel between the machines";

export const listenAddress = section({
  address: about(
    addressText,
    "`host:port`, `unix:PATH` or `fd:N`; with `fastcgi://`, `scgi://` or `uwsgi://` in front for other protocols than HTTP",
  ),
  mode: about(mode().exactOptional(), 'permissions of the Unix socket, such as `"660"`'),
  owner: about(text().exactOptional(), "owner of the Unix socket: `user` or `user:group`"),
  proxyProtocol: about(
    flag().exactOptional(),
    "connections begin with a PROXY header, those from `trust`, or all if it is empty (false)",
  ),
  tls: about(tls.exactOptional(), "HTTPS: the certificate, its key, and the other settings of TLS"),
})
  .superRefine(({ address, tls }, context) => {
    if (tls && address.protocol !== "http")
      context.addIssue({ code: "custom", message: ONLY_HTTP, path: ["tls"] });
  })
  .transform(({ address, mode, owner, proxyProtocol, tls }): ListenAddress => {
    const all = {
      ...address,
      ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
      ...(tls === undefined ? {} : { tls }),
    };
    if (all.kind !== "unix") return all;
    return {
      ...all,
      ...(mode === undefined ? {} : { mode }),
      ...(owner === undefined ? {} : { owner }),
    };
  });

/** The message; it says more to those who expect that a URL is enough. */
const expected = ({ input }: { input?: unknown }): string =>
  typeof input === "string" && input.startsWith("https://") ? HTTPS : AN_ADDRESS;
const HTTPS = "must for HTTPS be a section: { address: HOST:PORT, tls: { cert: FILE, key: FILE } }";

export const listen = z.array(z.union([addressText, listenAddress], { error: expected })).min(1);
