import { clean, cleanJson } from '../../render/clean.js';

export { clean, cleanJson };

/** Formats an integer, such as `1,326,578`. */
export function integer(value: number): string {
  // toLocaleString loads tables, which takes as long as the swap of a small model.
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Formats a count with its noun, such as `1 site` or `19 sites`. */
export function plural(count: number, noun: string): string {
  return `${integer(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Formats a file's growth in percent. */
export function grown(from: number, to: number): string {
  return (from === 0 ? 0 : (100 * (to - from)) / from).toFixed(2);
}

/** Returns a line for each data file that was copied. */
export function describeCopied(copied: readonly string[]): string[] {
  return copied.map((path) => `  copied ${clean(path)}`);
}

/** Formats rows as columns, each as wide as its longest cell; the last is not padded. */
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
