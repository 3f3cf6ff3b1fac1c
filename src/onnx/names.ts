import { OnnxMishError } from '../base/error.js';
import type { Node, OnnxDocument } from './document.js';

/** Maximum number of names: a Map or Set of V8 holds 2^24 entries. */
const MAX_NAMES = 16e6;

/** Throws `malformed` for more names than a Map can hold. */
export function checkNames(count: number, { source }: OnnxDocument): void {
  if (count <= MAX_NAMES) return;
  throw new OnnxMishError('malformed', `the model has more than ${MAX_NAMES} names`, {
    where: source.name,
    fix: 'Check the source of the file: no model needs so many',
  });
}

/**
 * Creates a function that returns unused names: no value or remaining node of any scope has them. If all wanted names share a
 * part, names without this part are not remembered.
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
  const counts = new Map<string, number>(); // next suffix by name, for nodes that share a name
  return (wanted) => {
    let name = wanted;
    let count = counts.get(wanted) ?? 1;
    while (taken.has(name)) name = `${wanted}_${++count}`;
    counts.set(wanted, count);
    taken.add(name);
    return name;
  };
}
