import { OnnxMishError } from '../base/error.js';
import type { Node, OnnxDocument, Scope } from './document.js';
import { outputField } from './encode.js';
import { type Edit, replacing } from './splice.js';

/**
 * The edits that leave of a main graph what these tensors depend on, and make them its only outputs, of a type that is
 * left open: ONNX Runtime infers it. Inputs stay, so that the same feeds do. Throws `bad-data` for a name that no node of
 * the main graph gives.
 */
export function extractEdits(document: OnnxDocument, names: readonly string[]): Edit[] {
  const { graph, source } = document;
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const frame = graph.nodes[0]?.frame;
  const edits = pruneEdits(document, names);
  for (const name of new Set(names)) {
    if (frame === undefined || !made.has(name)) {
      throw new OnnxMishError('bad-data', `no node of the graph gives a tensor '${name}'`, {
        where: source.name,
        fix: 'Name the output of a node in the main graph',
      });
    }
    edits.push({ start: frame.end, end: frame.end, bytes: outputField(name), frame });
  }
  return edits;
}

/** The edits that take out of a main graph all of its outputs, and the nodes on which none of these tensors depends. */
export function pruneEdits(document: OnnxDocument, names: readonly string[]): Edit[] {
  const { graph } = document;
  const needed = neededNodes(document, names);
  const nothing = new Uint8Array(0);
  const edits: Edit[] = [];
  for (const node of graph.nodes) {
    if (!needed.has(node)) edits.push(replacing(node, nothing));
  }
  for (const { span, frame } of graph.outputs) {
    if (span !== undefined) edits.push(replacing({ span, frame }, nothing));
  }
  return edits;
}

/** The nodes of the main graph on which these tensors depend. */
export function neededNodes(document: OnnxDocument, names: readonly string[]): ReadonlySet<Node> {
  const producers = new Map<string, Node>();
  for (const node of document.graph.nodes) for (const output of node.outputs) producers.set(output, node);
  const bodies = bodiesByNode(document);
  const needed = new Set<Node>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = producers.get(name);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    for (const read of [...node.inputs, ...(bodies.get(node) ?? []).flatMap(namesRead)]) open.push(read);
  }
  return needed;
}

/** The names that the graphs inside of each node of the main graph read and give. */
export function namesInside(document: OnnxDocument): ReadonlyMap<Node, readonly string[]> {
  const names = (scope: Scope) => [...namesRead(scope), ...scope.nodes.flatMap(({ outputs }) => outputs)];
  return new Map([...bodiesByNode(document)].map(([node, scopes]) => [node, scopes.flatMap(names)]));
}

/** The graphs inside of each node of the main graph, at any depth. */
function bodiesByNode({ scopes, graph }: OnnxDocument): Map<Node, Scope[]> {
  const bodies = new Map<Node, Scope[]>();
  for (const scope of scopes) {
    let top = scope;
    while (top.parent !== undefined && top.parent !== graph) top = top.parent;
    if (top.parent !== graph || top.owner === undefined) continue;
    const known = bodies.get(top.owner);
    if (known === undefined) bodies.set(top.owner, [scope]);
    else known.push(scope);
  }
  return bodies;
}

/** What a nested graph may read of the graphs around it. */
function namesRead({ nodes, outputs }: Scope): string[] {
  return [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ name }) => name)];
}
