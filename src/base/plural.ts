/** Formats an integer, such as `1,326,578`. */
export function integer(value: number): string {
  // toLocaleString loads tables, which takes as long as the swap of a small model.
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Formats a count with its noun, such as `1 site` or `1,024 sites`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${integer(count)} ${count === 1 ? noun : nouns}`;
}
