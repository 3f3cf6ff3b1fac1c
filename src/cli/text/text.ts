/**
 * Whatever acts on a terminal rather than being shown there: controls, separators of lines and paragraphs, format characters (of which
 * those for two directions can turn a text round), and halves of pairs.
 */
const ACTS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');

/** Text from a file, harmless on a terminal: characters that act there are spelled out. */
export function clean(text: string): string {
  return text.replace(ACTS, escaped);
}

/** JSON that is harmless on a terminal, and says the same: its own line breaks stay, for within texts it has none. */
export function cleanJson(json: string): string {
  return json.replace(ACTS, (character) => (character === '\n' ? character : escaped(character)));
}

/** `1,326,578`. */
export function integer(value: number): string {
  // Loading the tables behind toLocaleString takes as long as the swap of a small model.
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 site`, `19 sites`. */
export function plural(count: number, noun: string): string {
  return `${integer(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line for each data file that was copied along. */
export function describeCopied(copied: readonly string[]): string[] {
  return copied.map((path) => `  copied ${clean(path)}`);
}

/** Two or more columns, each as wide as its longest cell; the last is not padded. */
export function columns(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  }
  return rows
    .map(
      (row) =>
        indent +
        row
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd(),
    )
    .join('\n');
}
