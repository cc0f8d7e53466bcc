// Which modules a file of dist holds: the build leaves the name of each before its code.
// Tested by test/cli/loaded.test.ts.

const NAME = /^\/\/ ([\w/.-]+\.js)$/gm;

/** In the order of the file: `{ module, from }`, a path below dist and the offset of its code. */
export const modulesIn = (text) =>
  Array.from(text.matchAll(NAME), ({ 1: module, index: from }) => ({ module, from }));
