// Newly initialised weights of an architecture.
import { crc32 } from '../base/crc32.js';
import { createRandom, normal, seedOf } from '../base/random.js';
import { attribute, type Node } from '../onnx/document.js';
import type { Weight } from '../onnx/weights.js';
import { elementCount } from '../providers/tensor.js';
import { einsumTerms } from '../train/autodiff/einsum-terms.js';
import { rootWeights } from '../train/trainable.js';
import type { InitialValues, TrainedCopy } from '../train/trainer-options.js';

/** The rule of the initial weights, in sentences. */
export const INITIAL_RULE =
  'Initialised anew: the weights that fine-tuning would move. Weights of Conv, Gemm, MatMul and Einsum: normal numbers of deviation gain / √fan-in (He), with the gain of the activation; of RNN, GRU and LSTM: of deviation 1 / √fan-in, whose activations stay; biases 0; scales 1; running means 0 and variances 1; slopes of PRelu 0.25; embeddings: normal numbers of deviation 0.02. A seed gives all activations the same normal numbers.';

/** Number of the rule: raise it where a change draws other numbers, so that runs of both rules do not mix. */
export const INITIAL_RULE_VERSION = 3;

/** Deviation of the rows of an embedding. */
const EMBEDDING_DEVIATION = 0.02;
/** Slope of PRelu. */
const PRELU_SLOPE = 0.25;

/** The values of a weight: a number, or normal numbers for a fan-in or of a deviation. */
type Rule = number | { readonly fanIn: number } | { readonly deviation: number };

/** Gain and seed of the normal numbers. */
export interface InitialOptions {
  readonly gain: number;
  readonly seed: number;
}

/** Returns the function that initialises weights for a trainer. */
export function initialWeights({ gain, seed }: InitialOptions): InitialValues {
  return (copy, weights) => {
    const rules = rulesOf(copy);
    const values = new Map<string, Float32Array>();
    for (const weight of weights) {
      const rule = rules.get(weight.name);
      if (rule !== undefined) values.set(weight.name, valuesOf(weight, rule, gain, seed));
    }
    return values;
  };
}

function valuesOf({ name, tensor }: Weight, rule: Rule, gain: number, seed: number): Float32Array {
  const length = elementCount(tensor.dims);
  if (typeof rule === 'number') return new Float32Array(length).fill(rule);
  const deviation = 'deviation' in rule ? rule.deviation : gain / Math.sqrt(Math.max(1, rule.fanIn));
  // By name, so that another order or number of weights does not change the numbers.
  const random = createRandom(seedOf(seed, INITIAL_SEED, crc32(new TextEncoder().encode(name))));
  return Float32Array.from({ length }, () => deviation * normal(random));
}

/** Tells these numbers apart from other uses of the seed. */
const INITIAL_SEED = 0x1417;

/** Finds the rule of each weight by the node that reads it. */
function rulesOf(copy: TrainedCopy): ReadonlyMap<string, Rule> {
  const { document, index } = copy;
  const rules = new Map<string, Rule>();
  for (const node of document.graph.nodes) {
    // A Concat of weights is a part of one weight, not a place of its own.
    const isJoined =
      node.opType === 'Concat' && rootWeights(document, index, node.outputs[0] ?? '').length > 0;
    if (node.domain !== '' || isJoined) continue;
    for (const [slot, name] of node.inputs.entries()) {
      for (const weight of rootWeights(document, index, name)) {
        if (rules.has(weight.name)) continue;
        const rule = ruleFor(copy, node, slot);
        if (rule !== undefined) rules.set(weight.name, rule);
      }
    }
  }
  return rules;
}

/** Returns the rule of the weight at an input of a node; undefined for an input that is not a weight. */
function ruleFor(copy: TrainedCopy, node: Node, slot: number): Rule | undefined {
  const dims = copy.dims(node.inputs[slot] ?? '');
  const elements = elementCount(dims);
  const flag = (name: string) => (attribute(node, name)?.i ?? 0) !== 0;
  switch (node.opType) {
    case 'Conv':
      return slot === 1 ? { fanIn: elements / (dims[0] ?? 1) } : 0;
    case 'ConvTranspose': {
      const strides = elementCount(attribute(node, 'strides')?.ints ?? []);
      const groups = attribute(node, 'group')?.i ?? 1;
      return slot === 1 ? { fanIn: elements / (dims[1] ?? 1) / groups / strides } : 0;
    }
    case 'Gemm':
      if (slot === 2) return 0;
      return { fanIn: dims[flag(slot === 1 ? 'transB' : 'transA') === (slot === 1) ? 1 : 0] ?? 1 };
    case 'MatMul':
      return { fanIn: (slot === 0 ? dims.at(-1) : (dims.at(-2) ?? dims[0])) ?? 1 };
    case 'Einsum':
      return { fanIn: summedIn(copy, node, slot) };
    case 'RNN':
    case 'GRU':
    case 'LSTM':
      // Slots 1 and 2 have a matrix for each direction; then come biases, lengths, initial states and peepholes.
      if (slot === 4) return undefined;
      return slot === 1 || slot === 2 ? { deviation: 1 / Math.sqrt(Math.max(1, dims.at(-1) ?? 1)) } : 0;
    case 'Gather':
      return slot === 0 ? { deviation: EMBEDDING_DEVIATION } : undefined;
    case 'PRelu':
      return slot === 1 ? PRELU_SLOPE : undefined;
    case 'Add':
      // A matrix is a position embedding, a vector a bias.
      return dims.filter((dim) => dim !== 1).length > 1 ? { deviation: EMBEDDING_DEVIATION } : 0;
    // A token, which may be repeated for each sample.
    case 'Concat':
    case 'Expand':
    case 'Tile':
      return { deviation: EMBEDDING_DEVIATION };
    // A matrix is a part of a computed weight, as in weight normalisation.
    case 'Mul':
      return dims.filter((dim) => dim !== 1).length > 1 ? undefined : 1;
    default:
      return NORMALISATIONS.has(node.opType) ? [undefined, 1, 0, 0, 1][slot] : undefined;
  }
}

const NORMALISATIONS: ReadonlySet<string> = new Set([
  ...['BatchNormalization', 'InstanceNormalization', 'LayerNormalization', 'GroupNormalization'],
  'RMSNormalization',
]);

/** Returns the number of an operand's elements that an Einsum sums for an element of its output. */
function summedIn({ dims }: TrainedCopy, node: Node, slot: number): number {
  const { terms, out } = einsumTerms(dims, node) ?? { terms: [], out: '' };
  const sizes = dims(node.inputs[slot] ?? '');
  return elementCount(sizes.filter((_, axis) => !out.includes(terms[slot]?.[axis] ?? '')));
}
