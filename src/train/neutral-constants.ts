// Constants that exporters write for normalisations without a scale and a shift.
import type { Node, OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { readNumbers } from '../onnx/small-tensor.js';
import type { Weight } from '../onnx/weights.js';
import { elementCount } from '../providers/tensor.js';
import { PASSED_THROUGH } from './trainable.js';

/** Inputs with a scale and with a shift, by operator. Those of Mul and Add may be either. */
const AFFINE_SLOTS: Readonly<
  Record<string, { readonly ones?: readonly number[]; readonly zeros?: readonly number[] }>
> = {
  BatchNormalization: { ones: [1], zeros: [2] },
  InstanceNormalization: { ones: [1], zeros: [2] },
  LayerNormalization: { ones: [1], zeros: [2] },
  GroupNormalization: { ones: [1], zeros: [2] },
  RMSNormalization: { ones: [1] },
  Mul: { ones: [0, 1] },
  Add: { zeros: [0, 1] },
};

/** Names by which PyTorch's newer exporter stores constants of its own; parameters keep the names of their modules. */
const LIFTED = /^val_\d+$/;
/** Operators that read a parameter as it is. Exporters fold a scale of Mul, a parameter too, and name it as a constant. */
const NORMALISATIONS = /Normalization$/;

/**
 * Names the weights that are no parameters: scales of 1 and shifts of 0 that PyTorch's exporters write as Constant nodes, or as
 * initializers with names of their own, for layers without them (`affine=False`), and those of the InstanceNormalization inside a
 * group normalisation, whose own scale and shift follow.
 * A constant of one element is not a parameter if the exporter made its name, whatever its value. An example is the factor in attention.
 */
export async function neutralConstants(
  document: OnnxDocument,
  index: GraphIndex,
  weights: readonly Weight[],
): Promise<ReadonlySet<string>> {
  const { graph } = document;
  const found = new Set<string>();
  for (const { name, tensor } of weights) {
    const readers = readersOf(graph, index, name);
    const isConstant = !graph.initializers.has(name);
    const isLifted = LIFTED.test(name);
    const wanted = readers.map(({ node, slot }) => neutralValue(node, slot));
    const [value] = wanted;
    if (value === undefined || wanted.some((other) => other !== value)) continue;
    if (isLifted && elementCount(tensor.dims) === 1) {
      found.add(name);
      continue;
    }
    const isPlain = (node: Node) =>
      isConstant || isOfGroups(node, graph, index) || (isLifted && NORMALISATIONS.test(node.opType));
    if (!readers.every(({ node }) => isPlain(node))) continue;
    const numbers = await readNumbers(document, tensor);
    if (numbers?.every((number) => number === value)) found.add(name);
  }
  return found;
}

/** Returns the nodes that read a constant, through nodes that pass it on, and the inputs that they read it by. */
function readersOf(
  graph: OnnxDocument['graph'],
  index: GraphIndex,
  name: string,
): { readonly node: Node; readonly slot: number }[] {
  return index.uses(graph, name).flatMap((use) => {
    if (use.kind !== 'input') return [];
    const { node } = use;
    const slot = node.inputs.indexOf(name);
    const isPassed = node.domain === '' && PASSED_THROUGH.has(node.opType) && slot === 0;
    return isPassed ? readersOf(graph, index, node.outputs[0] ?? '') : [{ node, slot }];
  });
}

/** Returns the value of a constant that would change nothing at its place in a node; undefined for other places. */
function neutralValue({ domain, opType }: Node, slot: number): number | undefined {
  const slots = domain === '' && Object.hasOwn(AFFINE_SLOTS, opType) ? AFFINE_SLOTS[opType] : undefined;
  if (slots?.ones?.includes(slot)) return 1;
  return slots?.zeros?.includes(slot) ? 0 : undefined;
}

/** Returns whether a node normalises the groups of channels that a Reshape made. */
const isOfGroups = ({ domain, opType, inputs }: Node, graph: OnnxDocument['graph'], index: GraphIndex) =>
  domain === '' &&
  opType === 'InstanceNormalization' &&
  index.producer(graph, inputs[0] ?? '')?.opType === 'Reshape';
