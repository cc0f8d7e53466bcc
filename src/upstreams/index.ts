// Connections to applications that run elsewhere.
export { Upstream, type UpstreamOptions, Upstreams } from "./choose.ts";
export { type ConnectionReader, connectTo, parseUpstream, type UpstreamAddress } from "./connect.ts";
