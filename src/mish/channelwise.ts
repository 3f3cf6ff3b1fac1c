import { onnx } from '../../proto/onnx.js';
import { attribute, type Node, opsetOf, rewriteObstacle, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { scalarTensor } from '../onnx/scalar.js';
import { DataType } from '../onnx/types.js';
import { describeBound } from './bound.js';
import { constantTensor, declaredDims } from './constants.js';
import { type Channels, type Form, type Step, stepsOf } from './forms.js';
import type { MishNode } from './rewrite.js';
import { wordSet } from './use-moves.js';

export { describeBound };

// ONNX Runtime's CPU provider keeps tensors between convolutions in a blocked layout (NCHWc). Mul and Add with a scalar end it;
// BatchNormalization does not, and takes Sigmoid or Tanh along.

/** The opset from which ConstantOfShape makes the vectors. */
const VECTORS_OPSET = 9;

/** Replaces the scalar steps of approximate forms with BatchNormalization where the number of channels is known. */
export function channelwise(targets: readonly MishNode[], index: GraphIndex): MishNode[] {
  return targets.map(createChannelwise(index));
}

function createChannelwise(index: GraphIndex): (target: MishNode) => MishNode {
  const forms = new Map<string, Form<string>>();
  const channelsOf = createChannels(index);
  return (target) => {
    const { form, scope, type, x } = target;
    if (form.bound === undefined || type !== 'f32' || opsetOf(scope) < VECTORS_OPSET) return target;
    const channels = channelsOf(scope, x);
    if (channels === undefined) return target;
    const key = `${form.name} ${channels}`;
    const made = forms.get(key) ?? channelForm(form, channels);
    forms.set(key, made);
    return { ...target, form: made };
  };
}

/** Returns a test whether a recognised Mish has scalar steps that `channelwise` would replace. */
export function createScalarTest(
  index: GraphIndex,
): (mish: MishNode & { readonly inner: readonly Node[] }) => boolean {
  const onChannels = createChannelwise(index);
  return (mish) => {
    if (mish.inner.some(({ opType }) => opType === 'BatchNormalization')) return false;
    const { form, beta, leak } = onChannels(mish);
    if (form === mish.form) return false;
    return stepsOf(form, beta !== 1, leak !== undefined).some(({ op }) => op === 'BatchNormalization');
  };
}

/** Returns a form with each Mul and Add of a scalar as one BatchNormalization. */
export function channelForm(form: Form<string>, channels: number): Form<string> {
  const hasScalar = ({ op, inputs }: Step, wanted: string) =>
    op === wanted && (inputs[1] ?? '') in form.constants;
  const steps: Step[] = [];
  for (let at = 0; at < form.steps.length; at++) {
    const step = form.steps[at] as Step;
    const next = form.steps[at + 1];
    if (!hasScalar(step, 'Mul')) {
      steps.push(step);
      continue;
    }
    const joins = next !== undefined && hasScalar(next, 'Add') && next.only === step.only;
    const [x = '', scale = ''] = step.inputs;
    const shift = joins ? (next.inputs[1] ?? '') : 'zero';
    const { output } = joins ? next : step;
    if (joins) at++;
    const inputs = [x, scale, shift, 'zero', 'one'];
    steps.push({ ...step, op: 'BatchNormalization', inputs, output, attributes: { epsilon: 0 } });
  }
  return {
    ...form,
    steps,
    channels: channelsFor(channels),
    constants: { ...form.constants, zero: 0, one: 1 },
  };
}

function channelsFor(count: number): Channels {
  const { TENSOR } = onnx.AttributeProto.AttributeType;
  const value = (t: onnx.ITensorProto) => [{ name: 'value', type: TENSOR, t: { ...t, dims: [1] } }];
  return {
    count,
    vector(name, number, type) {
      const length = `${name}/length`;
      const shape = value({ dataType: DataType.INT64, int64Data: [count] });
      const attribute = value(scalarTensor(number, type));
      return [
        { opType: 'Constant', name: length, output: [length], attribute: shape },
        { opType: 'ConstantOfShape', name, input: [length], output: [name], attribute },
      ];
    },
  };
}

/** Operators that keep the channels of their first input. */
const KEEP = wordSet(
  `Relu LeakyRelu Clip Sigmoid Tanh Elu HardSigmoid HardSwish Identity Dropout MaxPool AveragePool GlobalAveragePool
  GlobalMaxPool InstanceNormalization BatchNormalization`,
);
const JOINS = wordSet('Add Sub Mul Div Sum Max Min');
/** Maximum number of channels. */
const MAX_CHANNELS = 2 ** 20;
/** Maximum length of a path to a convolution. */
const MAX_DEPTH = 200;

/** Creates a function that returns the number of channels of an image tensor (rank 4); undefined where it is not known. */
function createChannels(index: GraphIndex): (scope: Scope, name: string) => number | undefined {
  const known = new Map<Node, number | undefined>();

  function channelsOf(scope: Scope, name: string, depth = 0): number | undefined {
    const dims = declaredDims(index, scope, name);
    if (dims !== undefined) {
      const [, channels] = dims;
      if (dims.length !== 4) return undefined;
      if (typeof channels === 'number')
        return channels > 0 && channels <= MAX_CHANNELS ? channels : undefined;
    }
    const node = index.producer(scope, name);
    if (node?.domain !== '' || depth > MAX_DEPTH) return undefined;
    if (!known.has(node)) {
      known.set(node, undefined);
      known.set(node, after(node, scope, depth + 1));
    }
    return known.get(node);
  }

  function after(node: Node, scope: Scope, depth: number): number | undefined {
    const { opType, inputs } = node;
    const [x = '', weights = ''] = inputs;
    if (rewriteObstacle(node) !== undefined) return undefined;
    if (opType === 'Conv' || opType === 'ConvTranspose') {
      const dims = constantTensor(index, scope, weights)?.dims;
      const [first = 0, second = 0] = dims?.length === 4 ? dims : [];
      const channels = opType === 'Conv' ? first : second * (attribute(node, 'group')?.i ?? 1);
      return channels > 0 && channels <= MAX_CHANNELS ? channels : undefined;
    }
    if (KEEP.has(opType)) return channelsOf(scope, x, depth);
    if (opType !== 'Concat' && !JOINS.has(opType)) return undefined;
    if (opType === 'Concat' && attribute(node, 'axis')?.i !== 1) return undefined;
    const parts: number[] = [];
    for (const name of inputs) {
      const dims = constantTensor(index, scope, name)?.dims;
      const part = dims === undefined ? channelsOf(scope, name, depth) : (dims.at(-3) ?? 1);
      if (part === undefined || (dims?.length ?? 0) > 4) return undefined;
      parts.push(part);
    }
    if (parts.length === 0) return undefined;
    return parts.reduce((all, part) => (opType === 'Concat' ? all + part : Math.max(all, part)), 0);
  }

  return (scope, name) => channelsOf(scope, name);
}
