/** Text from a file, harmless on a terminal: control characters, which could move the cursor or worse, are spelled out. */
export function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
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
