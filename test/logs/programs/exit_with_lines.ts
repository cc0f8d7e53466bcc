// Logs some requests to a file, or to standard output ("-"), and ends the process in the same turn.
import { AccessLog } from "../../../src/logs/access.ts";
import { descriptorSink, fileSink } from "../../../src/logs/sinks.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";

const [place = "-", count = "1"] = process.argv.slice(2);
const access = new AccessLog(place === "-" ? descriptorSink(1) : await fileSink(place));
const handler = access.logging(() => "app");
for (let i = 0; i < Number(count); i++) {
  const exchange = new RecordedExchange({ target: `/${i}` });
  handler(exchange);
  exchange.respond({ status: 204, reason: "", headers: [] }, "");
}
process.exit(0);
