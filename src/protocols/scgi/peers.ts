// Servers in front of us that deviate from SCGI. The peculiarities of each are here, under its name.
// Tested by test/cgi/socket/listener.test.ts.

/**
 * nginx before 1.23 repeats a header field as often as the client did, though names must not come twice. It is known by
 * DOCUMENT_URI, which its `scgi_params` sets; other names than those of header fields may not be repeated.
 */
export const nginxRepeatsFields = (name: string, variables: ReadonlyMap<string, string>): boolean =>
  name.startsWith("HTTP_") && variables.has("DOCUMENT_URI");
