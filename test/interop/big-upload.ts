// An upload too large to be held in memory, by its client or by the server.
import { createHash } from "node:crypto";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export const MIB: number = 1 << 20;

/** Uploads `size` bytes as multipart without ever holding them; gives the JSON answer and what the hash must be. */
export async function uploadBig(
  url: string,
  size: number,
): Promise<{ answer: Record<string, unknown>; sha256: string }> {
  const piece = Buffer.from(Array.from({ length: MIB }, (_, index) => (index * 31 + (index >> 8)) % 256));
  const hash = createHash("sha256");
  const head = '--edge\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n';
  const tail = "\r\n--edge--\r\n";
  function* body() {
    yield Buffer.from(head);
    for (let sent = 0; sent < size; sent += MIB) {
      hash.update(piece);
      yield piece;
    }
    yield Buffer.from(tail);
  }
  const headers = {
    "Content-Type": "multipart/form-data; boundary=edge",
    "Content-Length": head.length + size + tail.length,
  };
  const upload = request(url, { method: "POST", headers });
  const answered = new Promise<string>((resolve, reject) => {
    upload.once("error", reject).once("response", async (response) => {
      try {
        resolve((await response.setEncoding("utf8").toArray()).join(""));
      } catch (error) {
        reject(error);
      }
    });
  });
  await Promise.all([pipeline(Readable.from(body()), upload), answered]);
  return { answer: JSON.parse(await answered), sha256: hash.digest("hex") };
}
