import { OnnxMishError } from '../base/error.js';
import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import { readWeight, type Weight, weightOf } from '../onnx/weights.js';
import { depthOf } from './activation-kinds.js';
import type { Questions } from './load-questions.js';
import type { NewActivation } from './new-activation.js';
import { createOperands } from './operands.js';
import type { Site } from './site.js';
import { createFollower, type InputUse } from './value-flow.js';

/** Maximum number of elements to read from all weights together. */
const MAX_ELEMENTS = 2 ** 24;

/** The input slots that can take a layer's signal. The other of slots 0 and 1 takes the weights; slot 2 takes a bias. */
const SIGNAL_SLOTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [0],
  ConvTranspose: [0],
  Einsum: [0, 1],
  Gemm: [0, 1],
  MatMul: [0, 1],
};

interface Layer {
  readonly scope: Scope;
  /** The weights and the bias. */
  readonly weights: readonly Weight[];
}

/**
 * Finds Relu sites whose results reach a root, logarithm, power or divisor through a layer with non-negative weights.
 * Returns the doubt of each. Only weights that lead to such a node are read.
 */
export async function findWeightDoubts(
  document: OnnxDocument,
  { index, calls }: Analysis,
  sites: readonly Site[],
  to: NewActivation,
  guardQuestion: NonNullable<Questions['guard']>,
): Promise<Map<Site, string>> {
  const guard = guardQuestion(index, createOperands(index), depthOf(to.name));
  const layers = new Map<Node, Layer>();

  /** Returns a follower that asks `pass` about each layer with constant weights. */
  const follower = (start: number, pass: (node: Node) => string | number | undefined) => {
    const at = (use: InputUse, state: number) => {
      const layer = layers.get(use.node) ?? layerOf(use);
      if (layer === undefined) return guard.at(use, state);
      layers.set(use.node, layer);
      return pass(use.node);
    };
    return createFollower({ start, at }, index, calls);
  };
  function layerOf({ node, slot, scope }: InputUse): Layer | undefined {
    const { opType, inputs } = node;
    if (node.domain !== '' || !Object.hasOwn(SIGNAL_SLOTS, opType)) return undefined;
    if (!SIGNAL_SLOTS[opType]?.includes(slot)) return undefined;
    const names = [inputs[1 - slot] ?? '', ...inputs.slice(2).filter((name) => name !== '')];
    const weights = names.flatMap((name) => weightOf(index, scope, name) ?? []);
    return weights.length === names.length ? { scope, weights } : undefined;
  }

  const anyway = follower(guard.start, () => Number.POSITIVE_INFINITY);
  const relus = sites.filter(
    ({ kind, doubt, scope, node }) =>
      kind === 'relu' && doubt === undefined && anyway(scope, node.outputs[0] ?? '') !== undefined,
  );
  const doubts = new Map<Site, string>();
  if (relus.length === 0) return doubts;

  const leads = follower(Number.POSITIVE_INFINITY, () => Number.POSITIVE_INFINITY);
  const positive = new Set<Node>();
  let left = MAX_ELEMENTS;
  for (const [node, { scope, weights }] of layers) {
    if (leads(scope, node.outputs[0] ?? '') === undefined) continue;
    left -= weights.reduce((sum, { tensor }) => sum + tensor.dims.reduce((a, b) => a * b, 1), 0);
    if (left < 0) break;
    let isPositive = ['alpha', 'beta'].every((name) => (attribute(node, name)?.f ?? 1) >= 0);
    for (const weight of weights) isPositive &&= await isNonNegative(document, weight);
    if (isPositive) positive.add(node);
  }

  const decider = follower(Number.POSITIVE_INFINITY, (node) =>
    positive.has(node) ? Number.POSITIVE_INFINITY : undefined,
  );
  const through = follower(guard.start, (node) => {
    const { scope } = layers.get(node) ?? {};
    const verdict = positive.has(node) && scope ? decider(scope, node.outputs[0] ?? '') : undefined;
    return (
      verdict &&
      `the weights of ${nodeLabel(node)} are all non-negative, and ${verdict.node.opType} ${nodeLabel(verdict.node)} follows: ${to.label} may make its operand negative`
    );
  });
  for (const site of relus) {
    const verdict = through(site.scope, site.node.outputs[0] ?? '');
    if (verdict !== undefined) doubts.set(site, verdict.why);
  }
  return doubts;
}

/** Returns whether a weight can be read and has no element below zero. */
async function isNonNegative(document: OnnxDocument, weight: Weight): Promise<boolean> {
  if (weight.tensor.external !== undefined) return false;
  try {
    return (await readWeight(document, weight)).every((value) => value >= 0);
  } catch (error) {
    // Code that needs the values reports the error.
    if (error instanceof OnnxMishError) return false;
    throw error;
  }
}
