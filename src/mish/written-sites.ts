import type { Analysis } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument } from '../onnx/document.js';
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

/** Finds the parts of written-out activations by node: the last nodes, and nodes that look like activations. */
export function findParts(document: OnnxDocument, analysis: Analysis): ReadonlyMap<Node, NodeRole> {
  const parts = new Map<Node, NodeRole>();
  for (const written of findWritten(document, analysis)) {
    const { name, node: last, scope, x, type, alpha, inner, constants, difference, obstacle } = written;
    const kind = kindNamed(name);
    const nodes = [last, ...inner];
    // Activations inside a called function are sites of the function.
    if (name !== 'mish' && nodes.some((one) => analysis.calls.callee(one) !== undefined)) continue;
    const own = new Set(nodes);
    const slope = name === 'leakyrelu' || name === 'mish' ? alpha : undefined;
    const whole = { x, inner, constants, difference, obstacle };
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
  return parts;
}
