import { integer, plural } from '../../base/plural.js';
import { pointsText } from '../../metrics/paired.js';
import { clean, cleanJson } from '../../render/clean.js';

export { clean, cleanJson, integer, plural };

/** Formats a file's growth in percent, with its sign: `+0.54 %`. */
export function growth(from: number, to: number): string {
  return `${pointsText(from === 0 ? 0 : (to - from) / from)} %`;
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
