import { OnnxMishError } from '../base/error.js';
import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { readWeight, type Weight, weightOf } from '../onnx/weights.js';
import { depthOf } from './activation-kinds.js';
import type { Questions } from './load-questions.js';
import type { NewActivation } from './new-activation.js';
import type { Site } from './site.js';

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

/** A layer whose weights and bias are constants, and the input slot of its signal. */
interface Layer {
  readonly slot: number;
  readonly weights: readonly Weight[];
}

/**
 * Adds a doubt to each site whose results reach a root, logarithm, power or divisor through layers with non-negative weights. Only
 * weights that lead to such a node are read.
 */
export async function addWeightDoubts(
  document: OnnxDocument,
  analysis: Analysis,
  sites: readonly Site[],
  to: NewActivation,
  domain: NonNullable<Questions['domain']>,
): Promise<void> {
  if (to.name === 'relu') return;
  const { index } = analysis;
  const layers = new Map<Node, Layer | undefined>();
  const layerOf = (scope: Scope, node: Node) => {
    if (!layers.has(node)) layers.set(node, findLayer(index, scope, node));
    return layers.get(node);
  };
  const open = sites.filter(({ doubt }) => doubt === undefined);
  const leading = new Set<Node>();
  const guards = (isPositive: (node: Node) => boolean) =>
    domain(document, analysis, open, to.depth ?? depthOf(to.name), {
      slotOf: (scope, node) => (isPositive(node) ? layerOf(scope, node)?.slot : undefined),
      onLead: (found) => {
        for (const layer of found) leading.add(layer);
      },
    });

  guards(() => true);
  const positive = new Set<Node>();
  let left = MAX_ELEMENTS;
  for (const node of leading) {
    const weights = layers.get(node)?.weights ?? [];
    left -= weights.reduce((sum, { tensor }) => sum + tensor.dims.reduce((a, b) => a * b, 1), 0);
    if (left < 0) break;
    let isPositive = ['alpha', 'beta'].every((name) => (attribute(node, name)?.f ?? 1) >= 0);
    for (const weight of weights) isPositive &&= await isNonNegative(document, weight);
    if (isPositive) positive.add(node);
  }
  if (positive.size === 0) return;
  const found = guards((node) => positive.has(node));
  for (const site of open) {
    const verdict = found.get(site.node);
    const layer = verdict?.layers.at(-1); // the first after the site
    if (verdict === undefined || layer === undefined) continue;
    const { node } = verdict;
    const weights = `the weights of ${nodeLabel(layer)} are all non-negative`;
    const follows = `${node.opType} ${nodeLabel(node)} follows: ${to.label} may make its operand negative`;
    Object.assign(site, { doubt: `${weights}, and ${follows}` });
  }
}

/** Returns a layer with weights that are constants, and one input that is none; undefined for any other node. */
function findLayer(index: GraphIndex, scope: Scope, { domain, opType, inputs }: Node): Layer | undefined {
  if (domain !== '' || !Object.hasOwn(SIGNAL_SLOTS, opType)) return undefined;
  for (const slot of SIGNAL_SLOTS[opType] ?? []) {
    const names = [inputs[1 - slot] ?? '', ...inputs.slice(2).filter((name) => name !== '')];
    const weights = names.flatMap((name) => weightOf(index, scope, name) ?? []);
    const isSignal = weightOf(index, scope, inputs[slot] ?? '') === undefined;
    if (isSignal && weights.length === names.length) return { slot, weights };
  }
  return undefined;
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
