// Applications that others run and that we connect to.
export { Upstream, type UpstreamOptions, Upstreams } from "./choose.ts";
export { connectTo, parseUpstream, type Reader, type UpstreamAddress } from "./connect.ts";
