import { attribute, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { constantTensor, declaredDims } from './constants.js';
import { wordSet } from './use-moves.js';

/** Operators whose result has the rank of their first operand, at least. */
const KEEPS =
  wordSet(`Abs AveragePool BatchNormalization Cast CastLike Celu Ceil Clip CumSum DepthToSpace Dropout Elu Erf Exp
  Expand Floor Gelu GlobalAveragePool GlobalMaxPool GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization
  LayerNormalization LeakyRelu Log LogSoftmax LRN MaxPool Mish Neg PRelu Pad Reciprocal Relu Resize Round Selu Sigmoid Sign Slice
  Softmax Softplus Softsign SpaceToDepth Split Sqrt Tanh Tile Upsample`);
/** Operators whose result has the largest rank of their operands. */
const JOINS = wordSet('Add Concat Div Max Mean Min Mul Pow Sub Sum Where');
/** Operators whose result is a matrix. */
const MATRICES = wordSet('Flatten Gemm');
/** Maximum number of nodes examined before a value, and maximum number of operands examined of a node. */
const MAX_DEPTH = 24;
const MAX_OPERANDS = 4;

/** Returns a rank that a value has at least, by its declaration or by the operators before it; 0 if nothing tells. */
export function leastRank(index: GraphIndex, scope: Scope, name: string, depth = MAX_DEPTH): number {
  const declared = declaredDims(index, scope, name) ?? constantTensor(index, scope, name)?.dims;
  if (declared !== undefined || depth === 0) return declared?.length ?? 0;
  const home = index.home(scope, name);
  const node = home && index.producer(home, name);
  if (home === undefined || node?.domain !== '') return 0;
  const { opType, inputs } = node;
  const rankAt = (slot: number, left = depth - 1) => leastRank(index, home, inputs[slot] ?? '', left);
  if (MATRICES.has(opType)) return 2;
  if (opType === 'Transpose') return attribute(node, 'perm')?.ints?.length ?? rankAt(0);
  if (opType === 'Reshape') return constantTensor(index, home, inputs[1] ?? '')?.dims[0] ?? 0;
  if (opType === 'Conv' || opType === 'ConvTranspose') return Math.max(rankAt(1), 3);
  if (KEEPS.has(opType)) return rankAt(0);
  // Operands share the depth that is left, so that a chain of sums is not walked again and again.
  if (JOINS.has(opType)) {
    const count = Math.min(inputs.length, MAX_OPERANDS);
    const left = Math.floor((depth - 1) / Math.max(count, 1));
    return Math.max(0, ...inputs.slice(0, count).map((_, slot) => rankAt(slot, left)));
  }
  if (opType !== 'MatMul') return 0;
  const ranks = [rankAt(0, depth >> 1), rankAt(1, depth >> 1)];
  return ranks.every((rank) => rank >= 2) ? Math.max(...ranks) : 0;
}
