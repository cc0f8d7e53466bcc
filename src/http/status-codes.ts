// The reason phrase of each status code (RFC 9110, 15), as Node has them. Not by `import`, which reads all exports of a
// module: one export of node:http loads Node's own HTTP client, which takes 30 ms at each start.

/** By status code. */
export const STATUS_CODES: Readonly<Record<number, string | undefined>> =
  process.getBuiltinModule("node:http").STATUS_CODES;
