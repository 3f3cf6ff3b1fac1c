import type { Node, Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';

/** An activation of several nodes that is about to be written anew. */
interface Replaced {
  readonly scope: Scope;
  readonly node: Node;
  readonly x: string;
  readonly inner?: readonly Node[] | undefined;
  readonly constants?: readonly string[] | undefined;
}

/** The nodes that nobody reads any more once these sites are rewritten: inner ones, and Constants of the old form. */
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
  // The inputs of the sites stay readers, of other nodes now: Mish of a value inside another Mish.
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
  // A node is free once its readers are gone, so the pass repeats until nothing more comes loose.
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
