import { OnnxMishError } from '../base/error.js';
import type { Node, OnnxDocument, Scope } from './document.js';
import { outputField } from './encode.js';
import { type Edit, replacing } from './splice.js';

/**
 * Returns the edits that reduce the main graph to the nodes that these tensors depend on, with the tensors as its only outputs.
 * The outputs have no type; ONNX Runtime infers types. Inputs stay, so that the same feeds fit. Throws `bad-data` for
 * a name that no node of the main graph outputs.
 */
export function extractEdits(document: OnnxDocument, names: readonly string[]): Edit[] {
  const { graph } = document;
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const frame = graph.nodes[0]?.frame;
  const edits = pruneEdits(document, names);
  for (const name of new Set(names)) {
    if (frame === undefined || name === '' || !made.has(name)) throw notAnOutput(name, document);
    edits.push({ start: frame.end, end: frame.end, bytes: outputField(name), frame });
  }
  return edits;
}

/** Returns the error for a tensor that no node of the main graph outputs. */
export function notAnOutput(name: string, { source }: OnnxDocument): OnnxMishError {
  return new OnnxMishError('bad-data', `no node of the main graph outputs '${name}'`, {
    where: source.name,
    fix: 'Name the output of a node in the main graph',
  });
}

/** Returns the edits that delete all outputs of the main graph, and the nodes that these tensors do not depend on. */
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

/** Finds the nodes of the main graph that these tensors depend on. */
export function neededNodes(document: OnnxDocument, names: readonly string[]): ReadonlySet<Node> {
  const producers = new Map<string, Node>();
  for (const node of document.graph.nodes) for (const output of node.outputs) producers.set(output, node);
  producers.delete(''); // it marks absent inputs and outputs
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

/** Returns the input and output names of all nodes nested in each node of the main graph. */
export function namesInside(document: OnnxDocument): ReadonlyMap<Node, readonly string[]> {
  const names = (scope: Scope) => [...namesRead(scope), ...scope.nodes.flatMap(({ outputs }) => outputs)];
  return new Map([...bodiesByNode(document)].map(([node, scopes]) => [node, scopes.flatMap(names)]));
}

/** Groups the nested graphs, at any depth, by node of the main graph. */
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

/** Returns the names that a nested graph may read from enclosing graphs. */
function namesRead({ nodes, outputs }: Scope): string[] {
  return [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ name }) => name)];
}
