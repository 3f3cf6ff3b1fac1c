import type { Node } from '../../onnx/document.js';

/** Who reads each tensor of a forward pass. */
export interface Readers {
  /** Returns the node that alone reads a tensor; undefined if there are several, or the tensor is an output. */
  only(name: string): Node | undefined;
  /** Returns the two nodes that alone read a tensor, by operator. */
  both(name: string, first: string, second: string): [Node | undefined, Node | undefined];
}

/** Indexes the readers of all tensors. `outputs` are read from outside as well. */
export function readersOf(nodes: readonly Node[], outputs: readonly string[]): Readers {
  const byName = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const name of new Set(node.inputs)) {
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [node]);
      else known.push(node);
    }
  }
  const fixed = new Set(outputs);
  const of = (name: string) => (fixed.has(name) ? [] : (byName.get(name) ?? []));
  return {
    only(name) {
      const [node, ...others] = of(name);
      return others.length === 0 ? node : undefined;
    },
    both(name, first, second) {
      const found = of(name);
      const one = (opType: string) => found.find((node) => node.opType === opType);
      return found.length === 2 ? [one(first), one(second)] : [undefined, undefined];
    },
  };
}
