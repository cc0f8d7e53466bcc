// A built server in a process of its own that counts the bytes of the buffers that it makes, and tells the sum when asked.
// Usage: node downloads.mjs CONFIG, with a channel to the process that started it.
let made = 0;
for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow"]) {
  const own = Buffer[name];
  Buffer[name] = (size, ...more) => {
    made += size;
    return own(size, ...more);
  };
}
const { from } = Buffer;
Buffer.from = (content, ...more) => {
  if (content instanceof Uint8Array) made += content.length;
  return from(content, ...more);
};

const { createServer } = await import("../../dist/index.js");
const server = createServer(JSON.parse(process.argv[2]));
process.on("message", async (message) => {
  if (message === "made") return process.send({ made });
  await server.stop(0);
  process.disconnect();
});
process.send({ urls: await server.start() });
