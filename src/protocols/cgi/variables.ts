// CGI/1.1 meta-variables (RFC 3875, 4.1), built here once for CGI, FastCGI, SCGI, uwsgi and WSGI. Stub: see the helper's work.
import type { Exchange } from "../../exchange/index.ts";

/** Gives every meta-variable of `exchange` to `put`, in a stable order. Values are latin-1 (one character an octet). */
export declare function metaVariables(exchange: Exchange, put: (name: string, value: string) => void): void;
