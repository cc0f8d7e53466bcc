// Invariant: any bytes, split anywhere, give variables, a wish for more, or one SallyportError; what is read means the same however it was cut, and is never larger than what was sent.
// node --import tsx fuzz/uwsgi.mjs [seconds] [seed]
import { encodeUwsgiRequest, UwsgiRequestReader } from "../src/protocols/uwsgi/codec.ts";
import { fuzzCodec } from "./socket-codec.mjs";

const [seconds, seed] = process.argv.slice(2);
fuzzCodec({
  name: "uwsgi",
  newReader: () => new UwsgiRequestReader(4_096),
  encodeUwsgiRequest,
  seconds,
  seed,
});
