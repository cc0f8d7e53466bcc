// CGI/1.1, as others see it.
export { type CgiOptions, cgi } from "./gateway.ts";
export { type ServeCgiOptions, serveCgi } from "./listener.ts";
export { type CgiResponse, ResponseReader, type ResponseReaderOptions } from "./response.ts";
export { CONSTANT_VARIABLES, decodePath, metaVariables } from "./variables.ts";
