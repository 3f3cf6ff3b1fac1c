// Least squares for layers with many inputs, by conjugate gradients on the rows.
import type { Matrix } from 'ml-matrix';
import { conjugateGradients, type IterationLimits } from './conjugate-gradients.js';
import type { OfSubsets } from './gather-rows.js';
import type { FloatMatrix, Multiplier } from './gram-matrix.js';
import type { GroupSolution, TriedMap } from './layer-solution.js';
import type { Linear, Method } from './least-squares.js';
import type { StoredRows } from './stored-rows.js';

/** Number of outputs to solve at once. */
const OUTPUTS_OF_BLOCK = 512;

/** Options for solving a group. The iterations are those of all ridges together. */
export interface SolveRowsOptions extends IterationLimits {
  readonly ridges: readonly number[];
  readonly multiplier: Multiplier;
}

/** Rows of a subset, less the means of the training rows: with an optimal bias, both sides have no mean. */
interface CentredRows {
  readonly x: FloatMatrix;
  readonly y: FloatMatrix;
}

/**
 * Solves a group of channels by its rows. The methods are those of `candidates`. Least squares start from the old weights,
 * with the strongest ridge, and go on to weaker ones; the first outputs choose the ridge. Least squares may stop before they
 * have converged, and are then nearer to the old weights. Throws `aborted`.
 */
export async function solveFromRows(
  old: Linear,
  subsets: OfSubsets<StoredRows>,
  { ridges, ...options }: SolveRowsOptions,
): Promise<GroupSolution> {
  const { weights } = old;
  const { multiplier } = options;
  const [outputs, depth] = [weights.rows, weights.columns];
  const { n, sums } = subsets.train;
  const means = sums.map((sum) => sum / n);
  const train = centred(subsets.train, means, depth);
  const validation = centred(subsets.validation, means, depth);
  const transposed = toFloats(weights);
  const given = await multiplier.product(train.x, transposed);
  const predicted = await multiplier.product(validation.x, transposed);
  const offset = old.bias.map((bias, output) => bias - biasOf(weights, means, output));
  const factors = outputFactors(given, train.y);
  const one = new Float64Array(outputs).fill(1);
  const tried: TriedMap[] = [
    { map: mapOf('bias', null, weights, means), loss: lossOf(predicted, validation.y, one) },
    {
      map: mapOf('affine', null, scaledRows(weights, factors), means),
      loss: lossOf(predicted, validation.y, factors),
    },
  ];
  const solution = {
    rows: n,
    variance: varianceOf(validation.y),
    before: lossOf(predicted, validation.y, one, offset),
  };
  const squares = columnSquares(train.x);
  const scale = squares.reduce((sum, square) => sum + square, 0) / Math.max(1, train.x.data.length);
  const [bias] = tried;
  if (ridges.length === 0 || bias === undefined) return { ...solution, tried };
  // Constant inputs leave nothing to solve, and other groups of the layer may still be solved.
  if (!(scale > 0)) {
    const same: TriedMap = { ...bias, map: mapOf('least-squares', ridges[0] ?? null, weights, means) };
    return { ...solution, tried: [...tried, same] };
  }
  const rest = { left: difference(train.y, given), ahead: difference(validation.y, predicted) };
  const solved = await solveBlocks({
    train,
    validation,
    ...rest,
    squares,
    scale,
    ridges,
    ...options,
  });
  const changed = weights.clone();
  for (let output = 0; output < outputs; output++)
    for (let index = 0; index < depth; index++)
      changed.set(output, index, changed.get(output, index) + (solved.delta[index * outputs + output] ?? 0));
  const map = mapOf('least-squares', solved.ridge, changed, means);
  return { ...solution, tried: [...tried, { map, loss: solved.loss }] };
}

interface Blocks extends OfSubsets<CentredRows>, SolveRowsOptions {
  /** The training outputs less those of the old weights. */
  readonly left: FloatMatrix;
  /** The validation outputs less those of the old weights. */
  readonly ahead: FloatMatrix;
  /** Sum of the squares of each input over the training rows. */
  readonly squares: Float64Array;
  /** Mean variance of the inputs. */
  readonly scale: number;
}

/** Solves blocks of outputs. Returns the change of all weights, [depth, outputs], with its ridge and loss. */
async function solveBlocks({
  train,
  validation,
  left,
  ahead,
  squares,
  scale,
  iterations,
  until,
  signal,
  multiplier,
  ...blocks
}: Blocks) {
  const { rows: n, columns: depth } = train.x;
  const outputs = left.columns;
  const isTall = n > depth;
  const gram = isTall
    ? { rows: depth, columns: depth, data: await multiplier.gram(train.x.data, depth) }
    : undefined;
  // Products of the moments' matrix with a matrix of directions.
  const apply = async (v: FloatMatrix) =>
    gram === undefined
      ? multiplier.crossProduct(train.x, await multiplier.product(train.x, v))
      : multiplier.product(gram, v);
  const diagonal = squares.map((sum) => sum / n);
  const delta = new Float32Array(depth * outputs);
  let ridges = [...blocks.ridges].sort((a, b) => b - a);
  let loss = 0;
  for (let from = 0; from < outputs; from += OUTPUTS_OF_BLOCK) {
    const to = Math.min(outputs, from + OUTPUTS_OF_BLOCK);
    const target = await multiplier.crossProduct(train.x, columnsOf(left, from, to));
    const wanted = columnsOf(ahead, from, to);
    const one = new Float64Array(to - from).fill(1);
    let best: { ridge: number; loss: number; data: Float32Array } | undefined;
    let start: Float64Array = new Float64Array(depth * (to - from));
    for (const ridge of ridges) {
      start = await conjugateGradients({
        start,
        columns: to - from,
        apply,
        n,
        diagonal,
        ridge: ridge * scale,
        target: target.data,
        iterations: Math.max(1, Math.floor(iterations / ridges.length)),
        until,
        signal,
      });
      const data = Float32Array.from(start);
      const product = await multiplier.product(validation.x, { rows: depth, columns: to - from, data });
      const made = lossOf(product, wanted, one);
      if (best === undefined || made < best.loss) best = { ridge, loss: made, data };
    }
    if (best === undefined) continue;
    ridges = [best.ridge];
    loss += best.loss;
    for (let index = 0; index < depth; index++)
      delta.set(best.data.subarray(index * (to - from), (index + 1) * (to - from)), index * outputs + from);
  }
  return { delta, loss, ridge: ridges[0] ?? 0 };
}

function centred({ chunks, width, n }: StoredRows, means: Float64Array, depth: number): CentredRows {
  const outputs = width - depth;
  const [x, y] = [new Float32Array(n * depth), new Float32Array(n * outputs)];
  let [atX, atY] = [0, 0];
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      for (let column = 0; column < depth; column++)
        x[atX++] = (chunk[at++] as number) - (means[column] as number);
      for (let column = depth; column < width; column++)
        y[atY++] = (chunk[at++] as number) - (means[column] as number);
    }
  }
  return { x: { rows: n, columns: depth, data: x }, y: { rows: n, columns: outputs, data: y } };
}

function toFloats(weights: Matrix): FloatMatrix {
  const [outputs, depth] = [weights.rows, weights.columns];
  const data = new Float32Array(depth * outputs);
  for (let output = 0; output < outputs; output++)
    for (let index = 0; index < depth; index++) data[index * outputs + output] = weights.get(output, index);
  return { rows: depth, columns: outputs, data };
}

/** Returns the bias with which an output has its mean. */
function biasOf(weights: Matrix, means: Float64Array, output: number): number {
  const { columns: depth } = weights;
  let bias = means[depth + output] as number;
  for (let index = 0; index < depth; index++) bias -= weights.get(output, index) * (means[index] as number);
  return bias;
}

function mapOf(method: Method, ridge: number | null, weights: Matrix, means: Float64Array): TriedMap['map'] {
  const bias = Float64Array.from({ length: weights.rows }, (_, output) => biasOf(weights, means, output));
  return { method, ridge, weights, bias };
}

function scaledRows(weights: Matrix, factors: Float64Array): Matrix {
  const scaled = weights.clone();
  for (const [output, factor] of factors.entries()) scaled.mulRow(output, factor);
  return scaled;
}

/** Returns the factor of each output with which it is nearest to its target. */
function outputFactors(given: FloatMatrix, target: FloatMatrix): Float64Array {
  const { columns } = given;
  const [squares, products] = [new Float64Array(columns), new Float64Array(columns)];
  for (let at = 0; at < given.data.length; ) {
    for (let column = 0; column < columns; column++, at++) {
      const value = given.data[at] as number;
      squares[column] = (squares[column] as number) + value * value;
      products[column] = (products[column] as number) + value * (target.data[at] as number);
    }
  }
  return squares.map((square, column) => {
    const factor = (products[column] as number) / square;
    return square > 0 && Number.isFinite(factor) ? factor : 1;
  });
}

/** Returns the squared error of outputs times their factors plus an offset: mean over rows, sum over outputs. */
function lossOf(got: FloatMatrix, wanted: FloatMatrix, factors: Float64Array, offset?: Float64Array): number {
  let loss = 0;
  for (let at = 0; at < got.data.length; )
    for (let column = 0; column < got.columns; column++, at++) {
      const value = (factors[column] as number) * (got.data[at] as number) + (offset?.[column] ?? 0);
      loss += (value - (wanted.data[at] as number)) ** 2;
    }
  return loss / Math.max(1, got.rows);
}

function varianceOf(y: FloatMatrix): number {
  const { rows, columns, data } = y;
  const sums = new Float64Array(columns);
  let squares = 0;
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    sums[at % columns] = (sums[at % columns] as number) + value;
    squares += value * value;
  }
  return sums.reduce((variance, sum) => variance - (sum / rows) ** 2, squares / rows);
}

function columnSquares({ columns, data }: FloatMatrix): Float64Array {
  const sums = new Float64Array(columns);
  for (let at = 0; at < data.length; )
    for (let column = 0; column < columns; column++, at++)
      sums[column] = (sums[column] as number) + (data[at] as number) ** 2;
  return sums;
}

function difference(a: FloatMatrix, b: FloatMatrix): FloatMatrix {
  return { ...a, data: a.data.map((value, at) => value - (b.data[at] as number)) };
}

function columnsOf({ rows, columns, data }: FloatMatrix, from: number, to: number): FloatMatrix {
  if (from === 0 && to === columns) return { rows, columns, data };
  const part = new Float32Array(rows * (to - from));
  for (let row = 0; row < rows; row++)
    part.set(data.subarray(row * columns + from, row * columns + to), row * (to - from));
  return { rows, columns: to - from, data: part };
}
