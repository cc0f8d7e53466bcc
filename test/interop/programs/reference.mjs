// One file that any web server may start: as a CGI program, or with a socket for FastCGI. It behaves as the conformance
// suite says.
import { serve } from "../../../dist/index.js";
import { nodeReference } from "../../../dist/testing/index.js";

await serve(nodeReference, { log: { level: "error" } });
