// Invariant: any bytes, split anywhere, give variables, a wish for more, or one SallyportError; what is read means the same however it was cut, and is never larger than what was sent.
// node --import tsx fuzz/scgi.mjs [seconds] [seed]
import { encodeScgiRequest, ScgiRequestReader } from "../src/protocols/scgi/codec.ts";
import { fuzzCodec } from "./socket-codec.mjs";

const [seconds, seed] = process.argv.slice(2);
fuzzCodec({
  name: "scgi",
  newReader: () => new ScgiRequestReader(4_096),
  encodeRequest: encodeScgiRequest,
  seconds,
  seed,
});
