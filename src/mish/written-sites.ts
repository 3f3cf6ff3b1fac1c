import type { Analysis } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import { kindNamed, kindOf } from './activation-kinds.js';
import type { Site, Skip } from './site.js';
import { findWritten, type WrittenActivation } from './written.js';
import { isMereBound } from './written-bound.js';

/** A node's role in an activation or arithmetic that is written out in several nodes. */
export interface NodeRole {
  /** The site of all nodes together, if they are an activation that can be swapped. */
  readonly site: Site | undefined;
  readonly isLast: boolean;
  /** Whether only other parts read the node's output. */
  readonly isInside: boolean;
  readonly isMish: boolean;
  /** All nodes of the activation or arithmetic. */
  readonly nodes: readonly Node[];
  /** The reason why the node alone is not a site. */
  readonly skip: Pick<Skip, 'reason' | 'why' | 'option'> & {
    readonly decidedBy: Pick<Site, 'node' | 'scope'>;
  };
}

const BOUNDS = ['Relu', 'LeakyRelu', 'Clip', 'Min', 'Max', 'Abs', 'Identity', 'Cast'];

const NAMES: Readonly<Partial<Record<WrittenActivation['name'], string>>> = {
  relu6: 'ReLU6',
  prelu: 'PReLU',
  leakyrelu: 'LeakyReLU',
  elu: 'ELU',
  selu: 'SELU',
  abs: 'an absolute value',
  max: 'a maximum',
  min: 'a minimum',
  clamp: 'a clamp',
  'dynamic-prelu': 'a PReLU of a computed slope',
};

/** Returns why the activations of a function stay, for each function that computes a part of an activation or of arithmetic. */
function functionsInside(
  all: readonly WrittenActivation[],
  { calls }: Analysis,
): ReadonlyMap<Scope, NodeRole['skip']> {
  const found = new Map<Scope, NodeRole['skip']>();
  for (const { name, node, scope, inner } of all) {
    // A ReLU between two scales remains one, and a LeakyReLU of a LeakyReLU is two activations.
    if (name === 'mish' || name === 'relu' || (name === 'leakyrelu' && calls.callee(node))) continue;
    const why = `a call of its function is part of ${NAMES[name] ?? name}, written out up to ${nodeLabel(node)}`;
    const skip = { reason: 'arithmetic', why, decidedBy: { node, scope } } as const;
    const queue: Node[] = [node, ...inner];
    for (const one of queue) {
      const callee = calls.callee(one);
      if (callee === undefined || found.has(callee)) continue;
      found.set(callee, skip);
      for (const inside of callee.nodes) queue.push(inside);
    }
  }
  return found;
}

/** Finds the parts of written-out activations by node: the last nodes, and nodes that look like activations. */
export function findParts(document: OnnxDocument, analysis: Analysis): ReadonlyMap<Node, NodeRole> {
  const parts = new Map<Node, NodeRole>();
  const all = findWritten(document, analysis);
  const used = functionsInside(all, analysis);
  for (const written of all) {
    const { name, node: last, scope, x, type, alpha, inner, constants, difference, obstacle } = written;
    const kind = kindNamed(name);
    const nodes = [last, ...inner];
    // Activations inside a called function are sites of the function, unless a call of it is such a part.
    if (name !== 'mish' && nodes.some((one) => analysis.calls.callee(one) !== undefined)) continue;
    const own = new Set(nodes);
    const slope = name === 'leakyrelu' || name === 'mish' ? alpha : undefined;
    const inFunction = used.get(scope.root);
    const stays = inFunction && ([inFunction.reason, inFunction.why] as const);
    const whole = { x, inner, constants, difference, obstacle: obstacle ?? stays };
    const site = kind && { node: last, scope, kind: kind.name, alpha: slope, type, ...whole };
    if (site && isMereBound(analysis, site)) continue;
    const option = kind === undefined || kind.byDefault ? undefined : { only: kind.name };
    const why = `it is part of ${NAMES[name] ?? name}, written out up to ${nodeLabel(last)}${option ? ', which swaps whole' : ''}`;
    const reason = option ? 'excluded' : 'arithmetic';
    const skip = { reason, why, option, decidedBy: { node: last, scope } } as const;
    // The uses of a chain of bounds decide whether it is a site.
    if (kind === undefined && nodes.every(({ opType }) => BOUNDS.includes(opType))) continue;
    for (const node of nodes) {
      const isLast = node === last;
      // A shared node is reported for the last activation.
      if (parts.has(node) || !(isLast || kindOf(node))) continue;
      const uses = node.outputs.flatMap((output) => analysis.index.uses(scope, output));
      const isInside = uses.every((use) => use.kind === 'input' && own.has(use.node));
      parts.set(node, { site, isLast, isInside, isMish: name === 'mish', nodes, skip });
    }
  }
  for (const scope of used.size === 0 ? [] : document.scopes) {
    const skip = used.get(scope.root);
    if (skip === undefined) continue;
    const role = { site: undefined, isLast: false, isInside: false, isMish: false, skip };
    for (const node of scope.nodes)
      if (kindOf(node) && !parts.has(node)) parts.set(node, { ...role, nodes: [node] });
  }
  return parts;
}
