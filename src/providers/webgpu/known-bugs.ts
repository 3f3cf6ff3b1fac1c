import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../../onnx/document.js';

/** How many are told. */
const MOST = 5;

/**
 * Where onnxruntime-web/webgpu 1.30.0 is known to compute something else without a word: a convolution of one group
 * over 6, 9, 15, 18, ... channels (divisible by 3, not by 4, and more than 3) with a number of filters divisible by 4,
 * which are larger than one pixel. Found by running such convolutions beside the CPU's: 3 and 12 channels, 6 filters and
 * 1x1 are right. microsoft/onnxruntime#29651 reports it of 9 channels. The
 * kernels of onnxruntime-web/all are others, and were right.
 */
export function webgpuMistakes({ graph }: OnnxDocument): string[] {
  const wrong = graph.nodes.filter((node) => isWrong(node, graph));
  const told = wrong
    .slice(0, MOST)
    .map(
      (node) =>
        `Conv ‘${nodeLabel(node)}’: onnxruntime-web/webgpu is wrong where input channels are divisible by 3 and not by 4 (microsoft/onnxruntime#29651)`,
    );
  return wrong.length > MOST ? [...told, `and ${wrong.length - MOST} more of the kind`] : told;
}

function isWrong(node: Node, graph: Scope): boolean {
  if (node.opType !== 'Conv' || node.domain !== '' || (attribute(node, 'group')?.i ?? 1) !== 1) return false;
  const [filters = 0, channels = 0, ...kernel] = graph.initializers.get(node.inputs[1] ?? '')?.dims ?? [];
  const apart = channels > 3 && channels % 3 === 0 && channels % 4 !== 0 && filters % 4 === 0;
  return apart && kernel.length === 2 && kernel.some((size) => size > 1);
}
