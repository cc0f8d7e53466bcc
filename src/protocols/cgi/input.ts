// A request body on its way into a program's standard input.
// Tested by test/protocols/cgi/endings.test.ts.
import type { Socket } from "node:net";
import type { RequestBody } from "../../exchange/index.ts";

/**
 * Writes `body` to `input` as fast as the program reads, and ends it when it is complete. `waitsForClient` gets true
 * before each piece is read, and false when it is there. A program may close its input, or end, before all was sent: the
 * rest is thrown away. Rejects as `body.read` does; `input` is left open then, so that the program does not take what it
 * has for the whole.
 */
export async function feed(
  input: Socket,
  body: RequestBody,
  waitsForClient: (waits: boolean) => void,
): Promise<void> {
  // A socket notices that the other side is gone only when it is read, a pipe when it is written.
  input.resume().once("end", () => input.destroy());
  input.once("close", () => body.discard());
  if (body.whole) {
    input.end(body.whole);
    return;
  }
  const next = async (): Promise<Uint8Array | undefined> => {
    waitsForClient(true);
    const chunk = await body.read();
    waitsForClient(false);
    return chunk;
  };
  for (let chunk = await next(); chunk && !input.destroyed; chunk = await next())
    if (!input.write(chunk)) await room(input);
  input.end();
}

function room(input: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      input.off("drain", done).off("close", done);
      resolve();
    };
    input.on("drain", done).on("close", done);
  });
}
