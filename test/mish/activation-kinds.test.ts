import { describe, expect, test } from 'vitest';
import { alphaOf, fusedActivation, kindOf } from '../../src/mish/activation-kinds.js';
import { scan } from '../../src/onnx/scan.js';
import { type AttributeValue, model, node } from '../support/model.js';

const parsed = async (op: string, attributes: Record<string, AttributeValue> = {}, domain = '') => {
  const [one] = (await scan(model({ nodes: [node(op, ['x'], ['y'], attributes, { domain })] }))).graph.nodes;
  if (one === undefined) throw new Error('no node');
  return one;
};

describe('the kind of an activation', () => {
  test.each([
    ['Relu', 'relu', true, 0],
    ['LeakyRelu', 'leakyrelu', true, Infinity],
    ['PRelu', 'prelu', false, Infinity],
    ['Elu', 'elu', false, 1],
    ['HardSwish', 'hardswish', false, 0.375],
    ['Mish', 'mish', true, 0.309],
    ['Swish', 'swish', false, 0.2785],
    ['Gelu', 'gelu', false, 0.1701],
  ])('of %s is %s', async (op, name, byDefault, depth) => {
    expect(kindOf(await parsed(op))).toEqual({ name, opType: op, byDefault, depth });
    expect(kindOf(await parsed(op, {}, 'com.example'))).toBeUndefined();
  });

  test('is undefined for other nodes', async () => {
    for (const op of ['Sigmoid', 'relu', 'ThresholdedRelu']) expect(kindOf(await parsed(op))).toBeUndefined();
  });
});

test('the slope of a LeakyRelu is its attribute, ONNX’s default, or an attribute of the function', async () => {
  expect(alphaOf(await parsed('LeakyRelu', { alpha: { f: 0.25 } }))).toBe(0.25);
  expect(alphaOf(await parsed('LeakyRelu', { alpha: { f: 0 } }))).toBe(0);
  expect(alphaOf(await parsed('LeakyRelu'))).toBe(Math.fround(0.01));
  expect(alphaOf(await parsed('LeakyRelu', { alpha: { ref: 'slope', type: 'FLOAT' } }))).toBe('@slope');
  expect(alphaOf(await parsed('Elu', { alpha: { f: 0.25 } }))).toBeUndefined();
});

describe('a ReLU inside another operator', () => {
  const lists = (...names: string[]) => ({ strings: names });
  test.each<[string, Record<string, AttributeValue>, string, string | undefined]>([
    ['FusedConv', { activation: 'Relu' }, 'com.microsoft', 'Relu is fused into FusedConv'],
    ['MoE', { activation_type: 'relu' }, 'com.microsoft', 'relu is fused into MoE'],
    ['MoE', {}, 'com.microsoft', 'relu is fused into MoE'],
    ['QMoE', { k: 2 }, 'com.microsoft', 'relu is fused into QMoE'],
    ['MoE', { activation_type: 'gelu' }, 'com.microsoft', undefined],
    ['MoE', {}, '', undefined],
    [
      'DmlFusedConv',
      { fused_activation: 'LeakyRelu' },
      'com.microsoft.dml',
      'LeakyRelu is fused into DmlFusedConv',
    ],
    ['Conv', { act: 'leaky_relu' }, 'com.example', 'leaky_relu is fused into Conv'],
    ['ATen', { operator: 'relu6' }, 'org.pytorch.aten', 'relu6 is fused into ATen'],
    ['Conv', { label: 'the layer before relu' }, 'com.example', undefined],
    ['LeakyRelu', {}, 'com.example', 'LeakyRelu is an operator of com.example, not of ONNX'],
    ['ConvReLU', {}, 'com.example', 'ConvReLU is an operator of com.example, not of ONNX'],
    ['FusedConv', { activation: 'Tanh' }, 'com.microsoft', undefined],
    ['FusedConv', {}, 'com.microsoft', undefined],
    ['Conv', { activation: 'Relu' }, '', undefined],
    ['RNN', { activations: lists('Tanh', 'Relu') }, '', 'Relu is fused into RNN'],
    ['LSTM', { activations: lists('LeakyRelu') }, '', 'LeakyRelu is fused into LSTM'],
    ['GRU', { activations: lists('ThresholdedRelu') }, '', 'ThresholdedRelu is fused into GRU'],
    ['Other', { activations: lists('Relu') }, '', undefined],
    ['Other', { activations: lists('Relu') }, 'com.example', 'Relu is fused into Other'],
    ['RNN', { activations: lists('Tanh') }, '', undefined],
    [
      'QLinearLeakyRelu',
      {},
      'com.microsoft',
      'QLinearLeakyRelu is an operator of com.microsoft, not of ONNX',
    ],
    ['QLinearConv', {}, 'com.microsoft', undefined],
    ['MyQLinearRelu', {}, 'com.microsoft', 'MyQLinearRelu is an operator of com.microsoft, not of ONNX'],
    ['QLinearRelu', {}, '', undefined],
  ])('%s %j of %j: %s', async (op, attributes, domain, wanted) => {
    expect(fusedActivation(await parsed(op, attributes, domain))).toBe(wanted);
  });
});
