// Position embeddings and tokens of transformers.
import { attribute, type Node, type OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Weight, weightOf } from '../onnx/weights.js';

/** Maximum number of tokens that are put before a sequence. */
const MAX_TOKENS = 16;
/** Operators that repeat a token for each sample, or pass it on. */
const REPEATING = new Set(['Expand', 'Tile', 'Identity', 'Cast', 'Reshape', 'Unsqueeze', 'Squeeze']);
/** Operators between an embedding and the normalisation of the sequence. */
const JOINING = new Set(['Add', 'Concat', 'Identity', 'Dropout', 'Cast']);
const NORMALISATIONS = new Set(['LayerNormalization', 'RMSNormalization']);
/** Maximum number of values that the search for a normalisation looks at. */
const MAX_VALUES = 32;

/**
 * Finds the constants that a sequence of features [samples, places, features] gets before a layer normalisation: matrices that are
 * added (position embeddings), and rows that are put before it (class tokens). Masks, grids and tables are not among them.
 */
export function sequenceWeights({ graph }: OnnxDocument, index: GraphIndex): Weight[] {
  const found: Weight[] = [];
  for (const node of graph.nodes) {
    const fits = node.domain === '' ? TESTS.get(node.opType)?.(node) : undefined;
    if (fits === undefined) continue;
    const weights = node.inputs.map((name) => constantBehind(name, graph, index));
    const chosen = weights.flatMap((weight) => (weight !== undefined && fits(weight) ? weight : []));
    const isComputed = weights.includes(undefined);
    if (chosen.length > 0 && isComputed && isNormalised(node.outputs[0] ?? '', graph, index))
      found.push(...chosen);
  }
  return found;
}

type Test = (weight: Weight) => boolean;

/** Returns the test of a constant at a node; undefined for a node of another kind. */
const TESTS: ReadonlyMap<string, (node: Node) => Test | undefined> = new Map([
  ['Add', () => isMatrix],
  ['Concat', (node: Node) => ([1, -2].includes(attribute(node, 'axis')?.i ?? 0) ? isToken : undefined)],
]);

/** Returns whether a constant has places and features, and is the same for all samples. */
function isMatrix({ tensor: { dims, minusInfinity } }: Weight): boolean {
  const [places = 1, features = 1] = dims.slice(-2);
  const isShared = dims.length === 2 || (dims.length === 3 && dims[0] === 1);
  return isShared && places > 1 && features > 1 && minusInfinity === undefined;
}

function isToken({ tensor: { dims } }: Weight): boolean {
  const [samples, places = 0, features = 0] = dims;
  return dims.length === 3 && samples === 1 && places <= MAX_TOKENS && features > 1;
}

/** Finds the float32 constant behind a name, through nodes that repeat it or pass it on. */
function constantBehind(name: string, graph: OnnxDocument['graph'], index: GraphIndex): Weight | undefined {
  let root = name;
  for (let node = index.producer(graph, root); node !== undefined; node = index.producer(graph, root)) {
    if (node.domain !== '' || !REPEATING.has(node.opType)) break;
    root = node.inputs[0] ?? '';
  }
  const weight = weightOf(index, graph, root);
  return weight?.home === graph && weight.type === 'f32' ? weight : undefined;
}

/** Returns whether a layer normalisation reads a value, perhaps after further additions. */
function isNormalised(name: string, graph: OnnxDocument['graph'], index: GraphIndex): boolean {
  const values = new Set([name]);
  // The set grows while the loop goes over it.
  for (const value of values) {
    const readers = index.uses(graph, value).flatMap((use) => (use.kind === 'input' ? use.node : []));
    const operators = new Set(readers.filter(({ domain }) => domain === '').map(({ opType }) => opType));
    if ([...operators].some((op) => NORMALISATIONS.has(op))) return true;
    if (operators.has('ReduceMean') && operators.has('Sub')) return true;
    for (const { opType, outputs } of readers)
      if (JOINING.has(opType) && values.size < MAX_VALUES) values.add(outputs[0] ?? '');
  }
  return false;
}
