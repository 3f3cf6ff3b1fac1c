/** Greatest width of help. */
export const MAX_HELP_WIDTH = 80;

/** Indentation of the continuation of an example, after a backslash. */
const EXAMPLE_INDENT = '      ';

/**
 * Wraps help text to a width. Lines without indentation are paragraphs; an indented line is an item, with the lines that are
 * indented further; `$` begins an example, and two spaces in it a remark. Blocks that fit already stay as they are.
 */
export function reflow(text: string, width = MAX_HELP_WIDTH): string {
  const blocks: string[][] = [];
  for (const line of text.split('\n')) {
    const last = blocks.at(-1);
    if (last !== undefined && continues(last[0] ?? '', line)) last.push(line);
    else blocks.push([line]);
  }
  return blocks
    .flatMap((lines) => (lines.every(({ length }) => length <= width) ? lines : wrapped(lines, width)))
    .join('\n');
}

/** Returns whether a line goes on with the block that begins with `first`. */
function continues(first: string, line: string): boolean {
  if (first === '' || line === '' || first.endsWith(':')) return false;
  const [before, now] = [indentOf(first), indentOf(line)];
  return before === 0 ? now === 0 : now > before;
}

const indentOf = (line: string) => line.length - line.trimStart().length;

function wrapped(lines: readonly string[], width: number): string[] {
  const [first = ''] = lines;
  const text = lines.map((line, index) => (index === 0 ? line.trimEnd() : line.trim())).join(' ');
  const indent = ' '.repeat(indentOf(first));
  if (first.trimStart().startsWith('$ ')) {
    const [command = '', remark] = text.split(/(?<=\S) {2,}/);
    const lines = fill(command, width - 2, EXAMPLE_INDENT, ' \\');
    const comment = `${EXAMPLE_INDENT}# `;
    return remark === undefined ? lines : [...lines, ...fill(comment + remark, width, comment)];
  }
  // An item of a list has a term, at least two spaces, and its description, under which further lines stand.
  const [term = ''] = /^ +\S+(?: \S+)* {2,}(?=\S)/.exec(first) ?? [];
  return fill(text, width, term === '' ? indent : ' '.repeat(term.length));
}

/** Breaks text at spaces; further lines begin with `indent`, and broken lines end with `mark`. A long word stays whole. */
function fill(text: string, width: number, indent: string, mark = ''): string[] {
  const start = ' '.repeat(indentOf(text));
  const lines: string[] = [];
  let line = '';
  // Spaces inside of quotes belong to their word, so that an example can be copied.
  const words =
    mark === '' ? text.trimStart().split(/(?<=\S) (?=\S)/) : (text.match(/(?:'[^']*'|\S)+/g) ?? []);
  for (const word of words) {
    if (mark !== '' && indent.length + word.length > width) {
      // Within quotes, a line break needs no mark.
      const pieces = fill(indent + word, width, `${indent} `);
      lines.push(...(line === '' ? [] : [line + mark]), ...pieces.slice(0, -1));
      line = pieces.at(-1) ?? '';
      continue;
    }
    const next = line === '' ? `${lines.length === 0 ? start : indent}${word}` : `${line} ${word}`;
    if (line !== '' && next.length > width) {
      lines.push(line + mark);
      line = indent + word;
    } else line = next;
  }
  return [...lines, line];
}
