/** Joins words as a sentence lists them: `a`, `a and b`, `a, b and c`. */
export function inWords(words: readonly string[]): string {
  const [last = '', ...others] = words.toReversed();
  return others.length === 0 ? last : `${others.toReversed().join(', ')} and ${last}`;
}
