// CGI/1.1, as others see it.

export { CONSTANT_VARIABLES, decodePath, metaVariables } from "../../cgi/metavariables/encode.ts";
export { type CgiResponse, ResponseReader, type ResponseReaderOptions } from "../../cgi/response-reader.ts";
export { type CgiOptions, cgi } from "./gateway.ts";
export { type ServeCgiOptions, serveCgi } from "./listener.ts";
