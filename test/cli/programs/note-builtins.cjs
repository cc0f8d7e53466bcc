// To be required first: on the way out, notes in a directory which of Node's own modules were loaded.
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");

process.on("exit", () => {
  const file = join(process.env.NOTE_BUILTINS, `${process.pid}`);
  writeFileSync(file, process.moduleLoadList.join("\n"));
});
