// Servers in front of us that do not keep to the letter of SCGI. What is peculiar to one peer is here, under its name.

/**
 * nginx before 1.23 sends a header field that was repeated as often as the client did, though names must not come twice.
 * It is known by DOCUMENT_URI, a variable of its own that its `scgi_params` sets; and no other name is let through.
 */
export const nginxRepeatsFields = (name: string, variables: ReadonlyMap<string, string>): boolean =>
  name.startsWith("HTTP_") && variables.has("DOCUMENT_URI");
