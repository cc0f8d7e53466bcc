// Answers a body's checksum and length, and the id of the request.
import { crc32 } from "node:zlib";

export default async (request) => {
  const body = Buffer.from(await request.arrayBuffer());
  return new Response(`${crc32(body)} ${body.length} ${new URL(request.url).search.slice(1)}`);
};
