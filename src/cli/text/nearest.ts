/** Returns the name with the smallest edit distance to a word, if the distance is small enough for a typo. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const ranked = names.map((name) => ({ name, distance: edits(word.toLowerCase(), name.toLowerCase()) }));
  const [best] = ranked.sort((a, b) => a.distance - b.distance);
  const most = Math.min(Math.max(2, word.length / 3), word.length - 1); // at least one letter stays
  return best !== undefined && best.distance <= most ? best.name : undefined;
}

/** Returns the Levenshtein distance, computed row by row. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1];
    for (const [column, other] of [...to].entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
