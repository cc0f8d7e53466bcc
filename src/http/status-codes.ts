// The reason phrase of each status code (RFC 9110, 15), as Node has them. Not by `import`, which reads all exports of a module:
// one of node:http's makes Node load its own HTTP client, 30 ms at every start.

/** By the status code. */
export const STATUS_CODES: Readonly<Record<number, string | undefined>> =
  process.getBuiltinModule("node:http").STATUS_CODES;
