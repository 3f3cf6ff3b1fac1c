import { attribute, type Node } from '../../onnx/document.js';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * Returns the labels of an Einsum's operands and of its output, a letter for each axis; undefined where an operand has one twice.
 * `dims` returns the shape of an operand.
 */
export function einsumTerms(
  dims: (name: string) => readonly number[],
  node: Node,
): { terms: string[]; out: string } | undefined {
  const [left = '', right] = (attribute(node, 'equation')?.s ?? '').replaceAll(' ', '').split('->');
  const given = left.split(',');
  const letters = new Set(left.replaceAll(/[.,]/g, ''));
  // Without an output, it has the axes of the ellipsis and the letters that occur once, in alphabetical order.
  const single = [...letters].filter((letter) => left.split(letter).length === 2).sort();
  const free = [...ALPHABET].filter((letter) => !letters.has(letter));
  const ranks = node.inputs.map((name) => dims(name).length);
  const hidden = given.map((term, slot) => (term.includes('...') ? (ranks[slot] ?? 0) + 3 - term.length : 0));
  const most = Math.max(...hidden);
  if (most > free.length) return undefined;
  const named = (term: string, count: number) => term.replace('...', free.slice(most - count, most).join(''));
  const terms = given.map((term, slot) => named(term, hidden[slot] ?? 0));
  if (terms.some((term) => new Set(term).size !== term.length)) return undefined;
  return { terms, out: named(right ?? `...${single.join('')}`, most) };
}
