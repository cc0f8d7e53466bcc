// The configuration's section `listen`.
import { z } from "zod";
import { type ListenAddress, parseAddress } from "./address.ts";
import { about, section, text, written } from "./schema.ts";

const AN_ADDRESS =
  'must be an address such as "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock", "fd:3" or "fastcgi://127.0.0.1:9000"';
const addressText = written<ListenAddress>("address", (value) => parseAddress(String(value)), AN_ADDRESS);

const mode = written<number>(
  "mode",
  (value) => (/^[0-7]{3,4}$/.test(String(value)) ? Number.parseInt(String(value), 8) : undefined),
  'must be an octal mode in quotes, such as "660"',
);

export const listenAddress = section({
  address: about(
    addressText,
    "`host:port`, `unix:PATH` or `fd:N`; with `fastcgi://`, `scgi://` or `uwsgi://` in front for other protocols than HTTP",
  ),
  mode: about(mode.exactOptional(), 'permissions of the Unix socket, such as `"660"`'),
  owner: about(text().exactOptional(), "owner of the Unix socket: `user` or `user:group`"),
}).transform(({ address, mode, owner }): ListenAddress => {
  if (address.kind !== "unix") return address;
  return { ...address, ...(mode === undefined ? {} : { mode }), ...(owner === undefined ? {} : { owner }) };
});

export const listen = z.array(z.union([addressText, listenAddress], { error: AN_ADDRESS })).min(1);
