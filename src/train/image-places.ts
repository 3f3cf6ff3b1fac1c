// Where a model looks for the channels of its images, and whether its output has a value at each of their places.
import { attribute, type Node, type OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { ELEMENTWISE } from './autodiff/gradients-elementwise.js';

/** Layers that read channels on the second axis, and write a value at each place, such as a pixel. */
const PLACE_LAYERS = new Set([
  ...['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'LpPool', 'LRN', 'DepthToSpace', 'SpaceToDepth'],
  ...['BatchNormalization', 'InstanceNormalization', 'GroupNormalization'],
]);
/** Layers that read channels on the second axis, and write one value for all places. */
const GLOBAL_LAYERS = new Set(['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool']);
/** Operators that keep the order of axes. */
const ORDERED = new Set([
  ...Object.keys(ELEMENTWISE),
  ...['Cast', 'Identity', 'Dropout', 'QuantizeLinear', 'DequantizeLinear', 'Pad', 'Resize', 'Upsample'],
]);
/** Further operators after which there is a value at each place of an image. */
const PLACE_OPERATORS = new Set(['Concat', 'Split', 'Softmax', 'LogSoftmax', 'LayerNormalization']);

/** Axes of an image with its axis of samples. */
const IMAGE_AXES = [0, 1, 2, 3];

/**
 * Returns whether the first layer that reads an input takes the last of four axes as channels, as behind a Transpose. Undefined if no
 * layer tells.
 */
export function readsChannelsLast(
  { graph }: OnnxDocument,
  index: GraphIndex,
  input: string,
): boolean | undefined {
  const seen = new Set<string>();
  // Values, with the axis of the input that each of their axes comes from. The list grows while it is read.
  const open: { readonly name: string; readonly axes: readonly number[] }[] = [
    { name: input, axes: IMAGE_AXES },
  ];
  for (const { name, axes } of open) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const use of index.uses(graph, name)) {
      if (use.kind !== 'input' || use.node.domain !== '') continue;
      const { node, slot } = use;
      const [result = ''] = node.outputs;
      const isLayer = PLACE_LAYERS.has(node.opType) || GLOBAL_LAYERS.has(node.opType);
      if (isLayer && slot === 0 && axes[1] !== 2) return axes[1] === 3;
      if (node.opType === 'Transpose') open.push({ name: result, axes: transposed(axes, node) });
      else if (ORDERED.has(node.opType)) open.push({ name: result, axes });
    }
  }
  return undefined;
}

/** Returns the axes of what a Transpose writes. */
function transposed(axes: readonly number[], node: Node): readonly number[] {
  return orderOf(node).map((axis) => axes[axis] ?? 0);
}

const orderOf = (node: Node) => attribute(node, 'perm')?.ints?.map(Number) ?? IMAGE_AXES.toReversed();

/** An output with a value at each place of an image. */
export interface OutputPlaces {
  /** Whether the channels are on the last of four axes, and not on the second; undefined if no layer tells. */
  readonly channelsLast: boolean | undefined;
}

/**
 * Finds layers that keep the places of an image from an input to an output. Without them, the output may be anything, such as a matrix for
 * each sample: undefined.
 */
export function outputPlaces(
  { graph }: OnnxDocument,
  index: GraphIndex,
  inputs: readonly string[],
  output: string,
): OutputPlaces | undefined {
  const seen = new Set<string>();
  // Values, with the axis of the output that each of their axes becomes, and that of the channels once a layer tells it. The list grows.
  const open: {
    readonly name: string;
    readonly axes: readonly number[];
    readonly channels: number | undefined;
  }[] = [{ name: output, axes: IMAGE_AXES, channels: undefined }];
  for (const { name, axes, channels } of open) {
    if (inputs.includes(name)) return { channelsLast: channels === undefined ? undefined : channels === 3 };
    const node = seen.has(name) ? undefined : index.producer(graph, name);
    if (node === undefined || node.domain !== '') continue;
    seen.add(name);
    const { opType } = node;
    const [first = ''] = node.inputs;
    if (PLACE_LAYERS.has(opType)) open.push({ name: first, axes, channels: channels ?? axes[1] });
    else if (opType === 'Transpose') open.push({ name: first, axes: before(axes, node), channels });
    else if (ORDERED.has(opType) || PLACE_OPERATORS.has(opType))
      for (const input of node.inputs) open.push({ name: input, axes, channels });
  }
  return undefined;
}

/** Returns the axes of what a Transpose reads. */
function before(axes: readonly number[], node: Node): readonly number[] {
  const order = orderOf(node);
  return axes.map((_, axis) => axes[order.indexOf(axis)] ?? 0);
}
