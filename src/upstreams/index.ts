// Applications that others run and that we connect to.
export { Upstream, type UpstreamOptions, Upstreams } from "./choose.ts";
export { type ConnectionReader, connectTo, parseUpstream, type UpstreamAddress } from "./connect.ts";
