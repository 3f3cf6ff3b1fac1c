// Convolutions with what follows them: frozen batch normalisation folded into the weights, a summand, and Relu.
import { type Window, windowOf } from '../../onnx/conv-window.js';
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { convolutionGradients, transposed } from '../autodiff/gradients-conv.js';
import { DEFAULT_EPSILON, inverseRoot, minus, plus, reluMask, times } from '../autodiff/rule.js';
import type { Tape } from '../autodiff/tape.js';
import {
  blockedConv,
  blockedWeights,
  CHANNELS_DIVISOR,
  filled,
  inWholeBlocks,
  mirroredWeights,
  sumOfBlocked,
  toBlocked,
  toPlain,
} from './blocks.js';
import type { RewriteContext } from './context.js';
import { standIn } from './kept-nodes.js';
import { blockedWeightGradient } from './weight-gradient.js';

/** A convolution or batch normalisation with the nodes after it that only it feeds. */
export interface Group {
  readonly conv: Node;
  /** Frozen batch normalisation. */
  readonly norm?: Node | undefined;
  /** The other operand of an addition. */
  readonly summand?: string | undefined;
  readonly relu: boolean;
  readonly blocked: boolean;
  /** The last node, in whose place the group is written. */
  readonly last: Node;
}

/** Returns the way in which the blocked layout computes a convolution; undefined if it cannot. */
export function blockedKind(
  node: Node,
  { block, blocked, dims }: Pick<RewriteContext, 'block' | 'blocked' | 'dims'>,
): 'blocked' | 'plain input' | 'depthwise' | undefined {
  const [x = '', w = ''] = node.inputs;
  const [dx, dw] = [dims(x), dims(w)];
  const [m = 1, c = 1] = dw;
  if (block === undefined || dx.length !== 4 || dw.length !== 4) return undefined;
  const group = attribute(node, 'group')?.i ?? 1;
  if (group !== 1) return c === 1 && group === m && m % CHANNELS_DIVISOR === 0 ? 'depthwise' : undefined;
  if (!fits(m, block)) return undefined;
  if (c < block && !blocked.has(x)) return 'plain input';
  return fits(c, block) ? 'blocked' : undefined;
}

/** Whether channels can be stored in blocks, of which at most a quarter is filled up: with more, the plain layout is faster. */
const fits = (channels: number, block: number) =>
  channels % CHANNELS_DIVISOR === 0 && channels * 4 >= inWholeBlocks(channels, block) * 3;

/** Frozen batch normalisation as a factor and a shift of each channel. */
interface Scale {
  readonly inverse: string;
  readonly factor: string;
  readonly average: string;
}

function scaleOf(tape: Tape, norm: Node): Scale {
  const [, scale = '', , average = '', variance = ''] = norm.inputs;
  const epsilon = tape.floats([attribute(norm, 'epsilon')?.f ?? DEFAULT_EPSILON]);
  const inverse = inverseRoot(tape, plus(tape, variance, epsilon));
  return { inverse, factor: times(tape, scale, inverse), average };
}

/** Writes a group in place of its nodes. */
export function writeConvGroup(context: RewriteContext, group: Group): void {
  const { conv, norm, summand, relu, last } = group;
  const { forward, dims } = context;
  const [x = '', given = '', bias = ''] = conv.inputs;
  const y = last.outputs[0] ?? '';
  // The weights may be what another convolution computed in the blocked layout.
  const w = context.plain(given);
  const [dx, dw, dy] = [dims(x), dims(w), dims(conv.outputs[0] ?? '')];
  const kind = group.blocked ? blockedKind(conv, context) : undefined;
  const window = windowOf('Conv', conv, dw.slice(2), dx.slice(2), dy.slice(2));
  const groups = attribute(conv, 'group')?.i ?? 1;
  const read = kind === undefined || kind === 'plain input' ? context.plain(x) : context.inBlocks(x);
  const scale = norm && scaleOf(forward, norm);
  const [m = 1] = dw;
  const perOutput = [m, ...dw.slice(1).map(() => 1)];
  let [folded, shift] = [w, bias];
  if (scale !== undefined && norm !== undefined) {
    folded = times(forward, w, forward.reshape(scale.factor, perOutput));
    const offset = bias === '' ? scale.average : minus(forward, scale.average, bias);
    shift = minus(forward, norm.inputs[2] ?? '', times(forward, offset, scale.factor));
  }
  const added = summand && context.inBlocks(summand);
  let blocks = '';
  const inputs = [read, w, bias, ...(norm?.inputs.slice(1, 3) ?? []), ...(added ? [added] : [])];
  if (kind === undefined || context.block === undefined) {
    const common = { group: groups, kernel_shape: window.kernel, strides: window.strides };
    const out = forward.node('Conv', [read, folded, ...(shift === '' ? [] : [shift])], {
      ...common,
      dilations: window.dilations,
      pads: window.pads,
    });
    context.put(last, [['Identity', [out], [y]]]);
  } else {
    const { block } = context;
    blocks = blockedWeights(forward, folded, dw, block, kind === 'blocked');
    const stored = inWholeBlocks(m, block);
    const level = shift === '' ? '' : filled(forward, shift, [m], [stored]);
    const operands = [read, blocks, ...(level !== '' || added ? [level] : []), ...(added ? [added] : [])];
    const out = blockedConv(forward, operands, window, { group: groups === 1 ? 1 : stored, relu });
    context.put(last, [['Identity', [out], [y]]]);
    context.blocked.add(y);
  }
  const gradientOf = (tape: Tape, g: string) => {
    const gz = relu ? times(tape, g, reluMask(tape, y)) : g;
    const parts =
      kind === undefined || context.block === undefined
        ? plainParts(tape, gz, standIn(conv, [read, folded, shift]), dx, dw)
        : blockedParts(context, tape, gz, {
            read,
            folded,
            blocks,
            kind,
            window,
            groups,
            dx,
            dy,
            dw,
            block: context.block,
          });
    return { parts, gz };
  };
  context.stand(conv, inputs, [y], (tape, _, g) => {
    const { parts, gz } = gradientOf(tape, g);
    const more = added ? [gz] : [];
    if (scale === undefined) return [parts.x, parts.w, parts.bias, ...more];
    const factor = tape.reshape(scale.factor, perOutput);
    const along = tape.reshape(tape.sum(tape.reshape(times(tape, parts.w, w), [m, -1]), [1]), [m]);
    const offset = bias === '' ? scale.average : minus(tape, scale.average, bias);
    const gFactor = minus(tape, along, times(tape, parts.bias, offset));
    return [
      ...[parts.x, times(tape, parts.w, factor), times(tape, parts.bias, scale.factor)],
      ...[times(tape, gFactor, scale.inverse), parts.bias],
      ...more,
    ];
  });
}

/** Gradients of a convolution's x, weights and bias. */
interface ConvParts {
  readonly x: string;
  readonly w: string;
  readonly bias: string;
}

function plainParts(
  tape: Tape,
  g: string,
  conv: Node,
  dx: readonly number[],
  dw: readonly number[],
): ConvParts {
  const [read, folded] = conv.inputs;
  const dims = (name: string) => (name === folded ? dw : name === read ? dx : tape.dims(name));
  const [x = '', w = '', bias = ''] = convolutionGradients({ ...tape, dims }, conv, g);
  return { x, w, bias };
}

interface BlockedParts {
  readonly read: string;
  readonly folded: string;
  /** The weights in blocks. */
  readonly blocks: string;
  readonly kind: 'blocked' | 'plain input' | 'depthwise';
  readonly window: Window;
  readonly groups: number;
  readonly dx: readonly number[];
  readonly dy: readonly number[];
  readonly dw: readonly number[];
  readonly block: number;
}

function blockedParts(context: RewriteContext, tape: Tape, g: string, conv: BlockedParts): ConvParts {
  const { read, kind, window, groups, dx, dy, dw, block } = conv;
  const w = blockedWeightGradient(tape, {
    x: read,
    plainX: () => context.plainLater(tape, read),
    blocked: kind !== 'plain input',
    g,
    dx,
    dy,
    dw,
    window,
    group: groups,
    block,
  });
  return { x: inputGradient(tape, g, conv), w, bias: sumOfBlocked(tape, g, dy, block) };
}

/** Adds the gradient of a blocked convolution's input: a convolution with mirrored weights, if the stride is 1 or each channel has its own. */
function inputGradient(tape: Tape, g: string, conv: BlockedParts): string {
  const { folded, blocks, kind, window, groups, dx, dy, dw, block } = conv;
  const { kernel, strides, dilations, pads } = window;
  const axes = kernel.length;
  const reach = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1));
  const spread = kernel.map((_, axis) => (dy[2 + axis] ?? 1) * (strides[axis] ?? 1));
  // The output may end before the last rows of x, so that the end is computed from the shapes.
  const begins = reach.map((size, axis) => size - (pads[axis] ?? 0));
  const ends = reach.map(
    (size, axis) => (dx[2 + axis] ?? 1) + size - (spread[axis] ?? 1) - (begins[axis] ?? 0),
  );
  const mirrored = [...begins, ...ends];
  const dense = elementCount(strides) === 1;
  const simple = (dense || kind === 'depthwise') && axes === 2 && mirrored.every((pad) => pad >= 0);
  if (kind !== 'plain input' && simple) {
    const weights = mirroredWeights(tape, blocks, dw, block, kind === 'depthwise');
    const inverse = { kernel, strides: strides.map(() => 1), dilations, pads: mirrored };
    const between = dense ? g : withZeros(tape, g, dy, strides, block);
    const group = groups === 1 ? 1 : inWholeBlocks(groups, block);
    return blockedConv(tape, [between, weights], inverse, { group });
  }
  const plainG = toPlain(tape, g, dy[1] ?? 1);
  const shape = { window, outside: dy.slice(2), inside: dx.slice(2), group: groups };
  const plain = transposed(tape, plainG, folded, shape);
  return kind === 'plain input' ? plain : toBlocked(tape, plain);
}

/** Adds zeros after each row and column of a blocked tensor, as many as a stride leaves out. */
function withZeros(
  tape: Tape,
  x: string,
  [n = 1, channels = 1, rows = 1, columns = 1]: readonly number[],
  [down = 1, across = 1]: readonly number[],
  block: number,
): string {
  const c = inWholeBlocks(channels, block);
  const apart = tape.reshape(x, [(n * c * rows) / block, 1, columns, block]);
  const wide = tape.pad(apart, [0, 0, 0, 0, 0, down - 1, 0, (across - 1) * block]);
  return tape.reshape(wide, [n, c, rows * down, columns * across]);
}
