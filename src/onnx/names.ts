import type { Node, OnnxDocument } from './document.js';

/** Hands out names that no value and no node that stays has, whatever its scope. */
export function namer(
  document: OnnxDocument,
  leaving: ReadonlySet<Node> = new Set(),
): (wanted: string) => string {
  const taken = new Set<string>();
  for (const scope of document.scopes) {
    for (const value of [...scope.inputs, ...scope.outputs]) taken.add(value.name);
    for (const name of scope.initializers.keys()) taken.add(name);
    for (const name of scope.values.keys()) taken.add(name);
    for (const node of scope.nodes) {
      if (!leaving.has(node)) taken.add(node.name);
      for (const name of node.inputs) taken.add(name);
      for (const name of node.outputs) taken.add(name);
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
