import type { Node, Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';

/** An activation of several nodes that will be rewritten. */
interface Replaced {
  readonly scope: Scope;
  readonly node: Node;
  readonly x: string;
  readonly inner?: readonly Node[] | undefined;
  readonly constants?: readonly string[] | undefined;
}

/** Finds the nodes that nothing reads once these sites are rewritten: inner nodes, and Constants of the old form. */
export function unused(sites: readonly Replaced[], index: GraphIndex): Map<Node, Scope> {
  const gone = new Set<Node>(sites.map(({ node }) => node));
  const candidates = new Map<Node, Scope>();
  for (const { scope, inner = [], constants = [] } of sites) {
    for (const node of inner) candidates.set(node, scope);
    for (const name of constants) {
      const home = index.home(scope, name);
      const node = home && index.producer(home, name);
      if (home !== undefined && node !== undefined) candidates.set(node, home);
    }
  }
  const removed = new Map<Node, Scope>();
  // A rewritten site still reads its input, which may be a value inside another Mish.
  const readers = new Map<Scope, Map<string, Node[]>>();
  for (const { scope, x, node } of sites) {
    const home = index.home(scope, x);
    if (home === undefined) continue;
    const names = readers.get(home) ?? new Map<string, Node[]>();
    readers.set(home, names);
    const list = names.get(x);
    if (list === undefined) names.set(x, [node]);
    else list.push(node);
  }
  const isFree = (node: Node, scope: Scope) =>
    node.outputs.every(
      (name) =>
        index.uses(scope, name).every((use) => use.kind === 'input' && gone.has(use.node)) &&
        (readers.get(scope)?.get(name) ?? []).every((site) => removed.has(site)),
    );
  // A node is unused once its readers are gone; repeat until none is left.
  for (let before = -1; before !== removed.size; ) {
    before = removed.size;
    for (const [node, scope] of candidates) {
      if (removed.has(node) || !isFree(node, scope)) continue;
      removed.set(node, scope);
      gone.add(node);
    }
  }
  return removed;
}
