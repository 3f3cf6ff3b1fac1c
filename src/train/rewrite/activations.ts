// Mish's gate, tanh(softplus(z)), and Mish itself as few passes, with a closed gradient.
import type { Node } from '../../onnx/document.js';
import { complement, minus, plus, times } from '../autodiff/rule.js';
import type { RewriteContext } from './context.js';
import type { Readers } from './readers.js';

/** Nodes that compute a gate of z, and Mish if the last of them multiplies z by the gate. */
export interface Gate {
  readonly z: string;
  readonly last: Node;
  readonly nodes: readonly Node[];
  readonly mish: boolean;
}

const isConstant = (values: readonly number[] | undefined, wanted: number) =>
  values?.length === 1 && values[0] === wanted;

/** Smallest `max` of Clip with which the written form equals Mish in float32. */
const MIN_CAP = 18;

/** Finds the gate that begins at a node: Softplus, Tanh or Clip, Exp, Add, Mul, Add, Div, and then perhaps Mul. */
export function gateAt(
  node: Node,
  readers: Readers,
  { forward }: Pick<RewriteContext, 'forward'>,
): Gate | undefined {
  const z = node.inputs[0] ?? '';
  const output = ({ outputs }: Node) => outputs[0] ?? '';
  const found =
    node.opType === 'Softplus' ? textbook(node, readers) : written(node, readers, forward.constant);
  if (found === undefined) return undefined;
  const gate = found.at(-1);
  if (gate === undefined) return undefined;
  const product = readers.only(output(gate));
  const isMish =
    product?.opType === 'Mul' && product.inputs.includes(z) && product.inputs[0] !== product.inputs[1];
  return isMish && product !== undefined
    ? { z, last: product, nodes: [...found, product], mish: true }
    : { z, last: gate, nodes: found, mish: false };
}

function textbook(node: Node, readers: Readers): Node[] | undefined {
  const tanh = readers.only(node.outputs[0] ?? '');
  return tanh?.opType === 'Tanh' ? [node, tanh] : undefined;
}

/** w / (w + 2) with w = e (e + 2) and e = exp(min(z, cap)). */
function written(
  clip: Node,
  readers: Readers,
  constant: (name: string) => readonly number[] | undefined,
): Node[] | undefined {
  if (clip.opType !== 'Clip') return undefined;
  const [, low = '', high = ''] = clip.inputs;
  const lowest =
    constant(low)?.[0] ?? clip.attributes.find(({ name }) => name === 'min')?.f ?? Number.NEGATIVE_INFINITY;
  const cap = constant(high)?.[0] ?? clip.attributes.find(({ name }) => name === 'max')?.f ?? 0;
  if (lowest > -1e4 || cap < MIN_CAP) return undefined;
  const out = (node: Node | undefined) => node?.outputs[0] ?? '';
  const isPlusTwo = (node: Node | undefined, of: string) =>
    node?.opType === 'Add' &&
    node.inputs.includes(of) &&
    node.inputs.some((name) => isConstant(constant(name), 2));
  const exp = readers.only(out(clip));
  if (exp?.opType !== 'Exp') return undefined;
  const [first, second] = readers.both(out(exp), 'Add', 'Mul');
  if (first === undefined || second === undefined) return undefined;
  if (!isPlusTwo(first, out(exp)) || !second.inputs.includes(out(first))) return undefined;
  if (readers.only(out(first)) !== second) return undefined;
  const [third, ratio] = readers.both(out(second), 'Add', 'Div');
  if (third === undefined || ratio === undefined) return undefined;
  if (!isPlusTwo(third, out(second)) || ratio.inputs[0] !== out(second)) return undefined;
  if (ratio.inputs[1] !== out(third) || readers.only(out(third)) !== ratio) return undefined;
  return [clip, exp, first, second, third, ratio];
}

/** Writes a gate or Mish in place of its nodes: with s = sigmoid(z), the gate is 2 / (1 + (1 - s)²) - 1. */
export function writeGate(context: RewriteContext, { z: given, last, mish }: Gate): void {
  const { forward } = context;
  const y = last.outputs[0] ?? '';
  const z = context.unblockable.has(y) ? context.plain(given) : given;
  const s = forward.node('Sigmoid', [z]);
  const rest = complement(forward, s);
  const root = plus(forward, times(forward, rest, rest), forward.floats([1]));
  const half = forward.node('Reciprocal', [root]);
  // HardSigmoid is 2 × half - 1 in a single pass; its bounds 0 and 1 cut nothing off.
  const gate = forward.node('HardSigmoid', [half], { alpha: { f: 2 }, beta: { f: -1 } });
  context.put(last, [mish ? ['Mul', [z, gate], [y]] : ['Identity', [gate], [y]]]);
  if (context.blocked.has(z)) context.blocked.add(y);
  context.stand(last, [z], [y], (tape, _, g) => {
    // The gate t has the derivative s (1 - t²), so that Mish has t + s (z - z t t) = t + s (z - y t).
    if (mish) {
      const steep = times(tape, s, minus(tape, z, times(tape, y, gate)));
      return [times(tape, g, plus(tape, gate, steep))];
    }
    return [times(tape, g, times(tape, s, complement(tape, times(tape, gate, gate))))];
  });
}
