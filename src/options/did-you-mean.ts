// "Did you mean ...?": the known word that is nearest to a misspelt one.

/** The nearest of `known` to `word`; undefined when none is near enough to suggest. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = word.length < 3 ? 1 : Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** `: did you mean "x"?`, or nothing. */
export function suggestion(word: string, known: Iterable<string>, prefix = ""): string {
  const found = nearest(word, known);
  return found === undefined ? "" : `; did you mean ${prefix}${found}?`;
}

/** Edits of one character, and swaps of two neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) row.push(cell(a, b, i, j, before, previous, row));
    [before, previous] = [previous, row];
  }
  return previous[b.length] as number;
}

function cell(
  a: string,
  b: string,
  i: number,
  j: number,
  before: number[],
  previous: number[],
  row: number[],
) {
  const same = a[i - 1] === b[j - 1];
  const least = Math.min(
    (previous[j] as number) + 1,
    (row[j - 1] as number) + 1,
    (previous[j - 1] as number) + (same ? 0 : 1),
  );
  const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
  return swapped ? Math.min(least, (before[j - 2] as number) + 1) : least;
}
