import { OnnxMishError } from '../base/error.js';
import type { Node, OnnxDocument } from './document.js';

/** A Map or Set of V8's holds 2^24. */
const MOST_NAMES = 16e6;

/** Throws `malformed` for more names than can be told apart. */
export function checkNames(count: number, { source }: OnnxDocument): void {
  if (count <= MOST_NAMES) return;
  throw new OnnxMishError('malformed', `there are more than ${MOST_NAMES} names`, {
    where: source.name,
    fix: 'Check where the file comes from: no model needs so many',
  });
}

/**
 * Hands out names that no value and no node that stays has, whatever its scope. Where all that is wanted has a part in
 * common, names without it need not be remembered.
 */
export function namer(
  document: OnnxDocument,
  leaving: ReadonlySet<Node> = new Set(),
  part = '',
): (wanted: string) => string {
  const taken = new Set<string>();
  const take = (name: string) => {
    if (name.includes(part)) checkNames(taken.add(name).size, document);
  };
  for (const scope of document.scopes) {
    for (const value of [...scope.inputs, ...scope.outputs]) take(value.name);
    for (const name of scope.initializers.keys()) take(name);
    for (const name of scope.values.keys()) take(name);
    for (const node of scope.nodes) {
      if (!leaving.has(node)) take(node.name);
      for (const name of node.inputs) take(name);
      for (const name of node.outputs) take(name);
    }
  }
  const counts = new Map<string, number>(); // where to go on counting, for nodes that all have one name
  return (wanted) => {
    let name = wanted;
    let count = counts.get(wanted) ?? 1;
    while (taken.has(name)) name = `${wanted}_${++count}`;
    counts.set(wanted, count);
    taken.add(name);
    return name;
  };
}
