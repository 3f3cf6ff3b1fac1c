import { type Analysis, analyse } from '../../onnx/analysis.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../../onnx/document.js';

/** Activations that ONNX Runtime 1.30 fuses into a convolution for WebGPU. */
const FUSED: readonly string[] = [
  'Relu',
  'Sigmoid',
  'Tanh',
  'LeakyRelu',
  'Clip',
  'HardSigmoid',
  'Elu',
  'HardSwish',
  'Softplus',
  'Gelu',
  'Erf',
  'ThresholdedRelu',
];

/** Activations that do not change the result of a following Relu, unless their `alpha` is negative. */
const KEEPS_RELU: readonly string[] = ['Relu', 'LeakyRelu', 'Elu'];

/** Maximum number of nodes to follow after a convolution. */
const MAX_STEPS = 16;

/**
 * Lists the activations that onnxruntime-web/webgpu 1.30.0 loses. If two activations follow a convolution, each as the
 * only reader of the node before, ONNX Runtime fuses the first into the convolution, then replaces it by the second
 * (`test/providers/webgpu/mistakes.md`).
 */
export function lostActivations(document: OnnxDocument): string[] {
  const convolutions = document.scopes.flatMap((scope) =>
    scope.nodes
      .filter(({ opType, domain }) => opType === 'Conv' && domain === '')
      .map((node) => ({ node, scope })),
  );
  if (convolutions.length === 0) return [];
  const analysis = analyse(document);
  return convolutions.flatMap(({ node, scope }) => {
    const [first, second] = activationsAfter(node, scope, analysis);
    if (first === undefined || second === undefined) return [];
    return [
      `${first.opType} ‘${nodeLabel(first)}’: WebGPU leaves it out between Conv ‘${nodeLabel(node)}’ and ${second.opType}`,
    ];
  });
}

/** Returns the activations that are fused into a convolution, in order. */
function activationsAfter(convolution: Node, scope: Scope, analysis: Analysis): Node[] {
  const found: Node[] = [];
  let node: Node | undefined = convolution;
  for (let step = 0; step < MAX_STEPS; step++) {
    node = onlyReader(node, scope, analysis);
    if (node === undefined) break;
    if (canFuse(node, scope, analysis)) {
      const before = found.at(-1);
      // ONNX Runtime fuses a Relu into a following Clip.
      const isHarmless =
        before !== undefined && (node.opType === 'Clip' ? isRelu(before) : isRelu(node) && keepsRelu(before));
      if (isHarmless) found.pop();
      found.push(node);
    } else if (found.length > 0 ? !isRemoved(node) : !isFolded(node, convolution, scope)) break;
  }
  return found;
}

/** Returns the only reader of a node's output; undefined if there are several or none. */
function onlyReader({ outputs: [name = ''] }: Node, scope: Scope, { index }: Analysis): Node | undefined {
  const [use, ...others] = index.uses(scope, name);
  return use?.kind === 'input' && use.scope === scope && others.length === 0 ? use.node : undefined;
}

function canFuse(node: Node, scope: Scope, { index }: Analysis): boolean {
  if (node.domain !== '' || !FUSED.includes(node.opType)) return false;
  const isConstant = (name: string) =>
    name === '' || scope.initializers.has(name) || index.producer(scope, name)?.opType === 'Constant';
  return node.opType !== 'Clip' || node.inputs.slice(1).every(isConstant);
}

const isRelu = ({ opType }: Node) => opType === 'Relu';
const keepsRelu = (node: Node) => KEEPS_RELU.includes(node.opType) && (attribute(node, 'alpha')?.f ?? 0) >= 0;
const isRemoved = ({ opType, domain }: Node) =>
  domain === '' && (opType === 'Identity' || opType === 'Dropout');

/** Returns whether ONNX Runtime folds a node into the weights of the convolution before it. */
function isFolded(node: Node, convolution: Node, { initializers }: Scope): boolean {
  if (isRemoved(node)) return true;
  if (node.domain !== '' || !initializers.has(convolution.inputs[1] ?? '')) return false;
  if (node.opType === 'BatchNormalization')
    return node.inputs.slice(1).every((name) => initializers.has(name));
  if (node.opType !== 'Add' && node.opType !== 'Mul') return false;
  const [filters] = initializers.get(convolution.inputs[1] ?? '')?.dims ?? [];
  const operand = node.inputs.map((name) => initializers.get(name)).find((tensor) => tensor !== undefined);
  return (
    operand?.dims.length === 3 &&
    operand.dims[0] === filters &&
    operand.dims.slice(1).every((size) => size === 1)
  );
}
