import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../../onnx/document.js';
import { lostActivations } from './lost-activations.js';

/**
 * Lists the nodes that onnxruntime-web/webgpu 1.30.0 computes wrongly without an error: some convolutions with a single
 * group, and some activations after convolutions (`test/providers/webgpu/mistakes.md`). onnxruntime-web/all has other
 * kernels, which are right.
 */
export function webgpuMistakes(document: OnnxDocument): string[] {
  return [...wrongConvolutions(document), ...lostActivations(document)];
}

const NATIVE_BUILD = 'onnxruntime-web/webgpu';

/** Returns whether a bug is in kernels that onnxruntime-web/all does not have, not in ONNX Runtime's optimiser. */
export const isOfNativeKernels = (bug: string) => bug.includes(NATIVE_BUILD);

function wrongConvolutions({ scopes }: OnnxDocument): string[] {
  return scopes.flatMap((scope) => {
    const convolutions = scope.nodes.filter(isConvolution);
    if (convolutions.length === 0) return [];
    const constants = constantDims(scope, new Set(convolutions.map(({ inputs }) => inputs[1] ?? '')));
    return convolutions.flatMap((node) => {
      const reason = reasonOf(node, scope, constants.get(node.inputs[1] ?? ''));
      return reason === undefined ? [] : [`Conv ‘${nodeLabel(node)}’: ${NATIVE_BUILD} ${reason}`];
    });
  });
}

type Dims = readonly (number | string | null)[];

/** Returns whether a node is a convolution with a single group. */
function isConvolution(node: Node): boolean {
  return node.opType === 'Conv' && node.domain === '' && (attribute(node, 'group')?.i ?? 1) === 1;
}

/** Returns the dimensions of those named values that are outputs of Constant nodes. */
function constantDims({ nodes }: Scope, names: ReadonlySet<string>): ReadonlyMap<string, Dims> {
  const found = new Map<string, Dims>();
  for (const node of nodes) {
    const [output = ''] = node.outputs;
    const dims = node.opType === 'Constant' && names.has(output) && attribute(node, 'value')?.tensor?.dims;
    if (dims) found.set(output, dims);
  }
  return found;
}

function reasonOf(node: Node, scope: Scope, constant: Dims | undefined): string | undefined {
  const [filters, channels, ...kernel] = constant ?? dimsIn(scope, node.inputs[1]) ?? [];
  if (typeof filters !== 'number' || typeof channels !== 'number' || ![1, 2].includes(kernel.length))
    return undefined;
  const pads = attribute(node, 'pads')?.ints ?? [];
  if (isMatMul(node, scope, kernel))
    return pads.some((pad) => pad !== 0) ? 'leaves out padding that is only after the image' : undefined;
  const isMisread = channels > 3 && channels % 3 === 0 && channels % 4 !== 0 && filters % 4 === 0;
  return isMisread
    ? 'is wrong where input channels are divisible by 3 and not by 4 (microsoft/onnxruntime#29651)'
    : undefined;
}

/** Returns whether WebGPU runs a convolution as a matrix product: its kernel has a single pixel, or the image's size. */
function isMatMul(node: Node, scope: Scope, kernel: Dims): boolean {
  const ints = (name: string) => attribute(node, name)?.ints ?? [];
  // WebGPU checks the padding before the image, not after it.
  if (
    ints('pads')
      .slice(0, kernel.length)
      .some((pad) => pad !== 0)
  )
    return false;
  const isOnePixel = kernel.every((size) => size === 1) && ints('strides').every((step) => step === 1);
  const image = dimsIn(scope, node.inputs[0])?.slice(2);
  return isOnePixel || String(image) === String(kernel);
}

/** Returns the dimensions of a value of a scope or of an outer scope. */
function dimsIn(scope: Scope, name = ''): Dims | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const made = at.initializers.get(name) ?? at.values.get(name);
    const dims = made?.dims ?? at.inputs.find((input) => input.name === name)?.dims;
    if (dims !== undefined) return dims;
  }
  return undefined;
}
