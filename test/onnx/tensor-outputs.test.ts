import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { scan } from '../../src/onnx/scan.js';
import { tensorOutputs, withTensorOutputs } from '../../src/onnx/tensor-outputs.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { CONTAINERS, container, type Wrapped, wrapped } from '../support/containers.js';
import { ints, model, node, value } from '../support/model.js';

const x = { elemType: 'f32', dims: [2, 4], data: Float32Array.of(-3, -2, -1, 0, 1, 2, 3, 4) };
const initializers = [ints('one', [], [1])];

/** A container of some tensors: what makes it, and what goes into it. */
const arbitrary: fc.Arbitrary<readonly Wrapped[]> = fc.array(fc.constantFrom(...CONTAINERS), {
  minLength: 1,
  maxLength: 4,
});

test('a container output is replaced by the tensors that go into it', async () => {
  await fc.assert(
    fc.asyncProperty(arbitrary, fc.boolean(), async (kinds, withTensor) => {
      const made = kinds.map((kind, index) => wrapped(kind, index));
      const bytes = model({
        nodes: [...made.flatMap(({ nodes }) => nodes), node('Relu', ['x'], ['y'])],
        inputs: [value('x', 1, [2, 4])],
        outputs: [...(withTensor ? [value('y', 1, [2, 4])] : []), ...made.map(({ output }) => output)],
        initializers,
        domains: { 'ai.onnx.ml': 2 },
      });
      const expected = [...(withTensor ? ['y'] : []), ...made.flatMap(({ tensors }) => tensors)];
      const found = tensorOutputs(await scan(bytes));
      expect(found.names).toEqual(expected);
      const session = await nodeProvider('cpu').open(bytes);
      const outputs = await session.run({ x });
      await session.close();
      expect(session.outputs.map(({ name }) => name).toSorted()).toEqual(expected.toSorted());
      for (const name of expected) expect(outputs[name]?.dims).toEqual([2, 4]);
      for (const { output } of made) expect(session.notes?.join()).toContain(`'${output.name}'`);
    }),
    { numRuns: 25, seed: 14 },
  );
});

test('a branch that outputs a sequence is replaced by its inputs', async () => {
  const branch = (name: string): { graph: onnx.IGraphProto } => ({
    graph: {
      name,
      node: [node('SequenceConstruct', ['r', 'r'], ['s'])],
      output: [container('s')],
    },
  });
  const bytes = model({
    nodes: [
      node('Relu', ['x'], ['r']),
      node('Less', ['x', 'x'], ['less']),
      node('Cast', ['less'], ['f'], { to: 1 }),
      node('ReduceMax', ['f'], ['m'], { keepdims: 0 }),
      node('Cast', ['m'], ['cond'], { to: 9 }),
      node('If', ['cond'], ['y'], { then_branch: branch('yes'), else_branch: branch('no') }),
    ],
    inputs: [value('x', 1, [2, 4])],
    outputs: [container('y')],
    opset: 17,
  });
  expect(tensorOutputs(await scan(bytes)).names).toEqual(['cond', 'r']);
  const session = await nodeProvider('cpu').open(bytes);
  expect(Object.keys(await session.run({ x }))).toEqual(['cond', 'r']);
  await session.close();
});

test('a model without such outputs stays as it is', async () => {
  expect(withTensorOutputs(await scan(model({ nodes: [node('Relu', ['x'], ['y'])] })))).toBeUndefined();
});

test('a deep chain is followed without recursion', async () => {
  const length = 20_000;
  const nodes = [node('Relu', ['x'], ['t']), node('SequenceConstruct', ['t'], ['s0'])];
  for (let at = 0; at < length; at++) nodes.push(node('SequenceInsert', [`s${at}`, 't'], [`s${at + 1}`]));
  const bytes = model({ nodes, outputs: [container(`s${length}`)] });
  expect(tensorOutputs(await scan(bytes)).names).toEqual(['t']);
});

test('a sequence of very many tensors is one of them, where all are the same', async () => {
  const many = new Array<string>(130_000).fill('t');
  const bytes = model({
    nodes: [node('Relu', ['x'], ['t']), node('SequenceConstruct', many, ['y'])],
    inputs: [value('x', 1, [2, 4])],
    outputs: [{ name: 'y', type: { sequenceType: { elemType: { tensorType: { elemType: 1 } } } } }],
  });
  expect(tensorOutputs(await scan(bytes)).names).toEqual(['t']);
});
