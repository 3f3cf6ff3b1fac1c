import { type Node, nodeLabel, type OnnxDocument, type Scope } from '../../onnx/document.js';
import { indexCalls } from '../../onnx/function-calls.js';

/** A linear layer that is not repaired, and why. */
export interface SkippedLayer {
  readonly label: string;
  readonly op: string;
  readonly why: string;
}

/** Nodes and layers that sites inside functions and bodies affect. */
export interface Bodies {
  /** Returns whether a site in a function or body changes the outputs of a node of the main graph. */
  changes(node: Node): boolean;
  /** Returns the layers in functions and bodies that read a tensor in `reached`. Such layers are never repaired. */
  layers(reached: ReadonlySet<string>): SkippedLayer[];
}

/** Adds the outputs of a node to names. An absent output has no name, and an absent input does not read it. */
export function addOutputs({ outputs }: Node, names: Set<string>): void {
  for (const name of outputs) if (name !== '') names.add(name);
}

/** Follows calls and bodies from the sites' outputs, `changed`. `isLayer` returns whether a node is a linear layer. */
export function followBodies(
  document: OnnxDocument,
  changed: ReadonlySet<string>,
  isLayer: (node: Node) => boolean,
): Bodies {
  const { graph, scopes } = document;
  const calls = indexCalls(document);
  const bodies = new Map<Node, Scope[]>();
  for (const scope of scopes) {
    if (scope.owner === undefined) continue;
    const list = bodies.get(scope.owner);
    if (list === undefined) bodies.set(scope.owner, [scope]);
    else list.push(scope);
  }
  const isSite = ({ outputs }: Node) => outputs.some((name) => changed.has(name));
  const open = scopes
    .filter((scope) => scope.root !== graph && scope.nodes.some(isSite))
    .map(({ root }) => root);
  const changing = new Set(open);
  const nodes = new Set<Node>();
  for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
    for (const caller of calls.callers(scope)) {
      nodes.add(caller.node);
      for (let at = caller.scope; at.owner !== undefined && at.parent !== undefined; at = at.parent)
        nodes.add(at.owner);
      const { root } = caller.scope;
      if (root === graph || changing.has(root)) continue;
      changing.add(root);
      open.push(root);
    }
  }

  function layers(reached: ReadonlySet<string>): SkippedLayer[] {
    const skipped = new Map<Node, SkippedLayer>();
    // Each function is visited at most twice: once with affected inputs, once without.
    const seen = new Map<Scope, boolean>();
    const waiting: { scope: Scope; names: Set<string> }[] = [{ scope: graph, names: new Set(reached) }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { scope, names } = next;
      for (const node of scope.nodes) {
        const reads = node.inputs.some((name) => names.has(name));
        for (const body of bodies.get(node) ?? []) {
          const inner = new Set(names);
          if (reads) for (const { name } of body.inputs) inner.add(name);
          waiting.push({ scope: body, names: inner });
        }
        const callee = calls.callee(node);
        if (callee !== undefined && (reads || nodes.has(node)) && seen.get(callee) !== true) {
          if (seen.get(callee) === undefined || reads) {
            seen.set(callee, reads);
            const inputs = reads ? callee.inputs.map(({ name }) => name) : [];
            waiting.push({ scope: callee, names: new Set([...changed, ...inputs]) });
          }
        }
        if (!reads && !nodes.has(node) && !isSite(node)) continue;
        addOutputs(node, names);
        if (scope === graph || !reads || !isLayer(node)) continue;
        const why =
          scope.root === graph
            ? 'the layer is in the body of a node'
            : `the layer is in a ${scope.root.path}`;
        skipped.set(node, { label: nodeLabel(node), op: node.opType, why });
      }
    }
    return [...skipped.values()];
  }

  return { changes: (node) => nodes.has(node), layers };
}
