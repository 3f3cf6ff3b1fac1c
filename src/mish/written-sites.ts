import type { Analysis } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument } from '../onnx/document.js';
import { KINDS, kindOf } from './activation-kinds.js';
import type { Site, Skip } from './site.js';
import { findWritten, type Written } from './written.js';

/** What a node is as part of an activation, or of arithmetic, that is written out in several. */
export interface Part {
  /** The whole as a site, where it is an activation that can be swapped. */
  readonly site: Site | undefined;
  readonly isLast: boolean;
  /** Whether only other parts read what the node makes. */
  readonly isInside: boolean;
  readonly isMish: boolean;
  /** All nodes of the whole. */
  readonly nodes: readonly Node[];
  /** Why the node is no site by itself. */
  readonly skip: Pick<Skip, 'reason' | 'why' | 'option'> & {
    readonly decidedBy: Pick<Site, 'node' | 'scope'>;
  };
}

const BOUNDS = ['Relu', 'LeakyRelu', 'Clip', 'Min', 'Max', 'Abs', 'Identity', 'Cast'];

const NAMES: Readonly<Partial<Record<Written['name'], string>>> = {
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

/** The parts of what is written out in a document, by node: the last nodes, and those that look like activations. */
export function findParts(document: OnnxDocument, analysis: Analysis): ReadonlyMap<Node, Part> {
  const parts = new Map<Node, Part>();
  for (const written of findWritten(document, analysis)) {
    const { name, node: last, scope, x, type, alpha, inner, constants, difference } = written;
    const kind = KINDS.find((one) => one.name === name);
    const nodes = [last, ...inner];
    // What a function has inside is a site there.
    if (name !== 'mish' && nodes.some((one) => analysis.calls.callee(one) !== undefined)) continue;
    const own = new Set(nodes);
    const slope = name === 'leakyrelu' ? alpha : undefined;
    const whole = { x, inner, constants, difference };
    const site = kind && { node: last, scope, kind: name, alpha: slope, type, ...whole };
    const option = kind === undefined || kind.byDefault ? undefined : { only: name };
    const why = `it is part of ${NAMES[name] ?? name}, written out up to ${nodeLabel(last)}${option ? ', which swaps whole' : ''}`;
    const reason = option ? 'excluded' : 'arithmetic';
    const skip = { reason, why, option, decidedBy: { node: last, scope } } as const;
    // A chain of bounds is judged by what it is for.
    if (kind === undefined && nodes.every(({ opType }) => BOUNDS.includes(opType))) continue;
    for (const node of nodes) {
      const isLast = node === last;
      // What several take part in is reported for the last of them.
      if (parts.has(node) || !(isLast || kindOf(node))) continue;
      const uses = node.outputs.flatMap((output) => analysis.index.uses(scope, output));
      const isInside = uses.every((use) => use.kind === 'input' && own.has(use.node));
      parts.set(node, { site, isLast, isInside, isMish: name === 'mish', nodes, skip });
    }
  }
  return parts;
}
