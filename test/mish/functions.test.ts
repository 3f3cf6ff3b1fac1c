import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import type { FormName } from '../../src/mish/forms.js';
import { mish } from '../../src/mish/reference.js';
import { graph } from '../support/bodies.js';
import { decode, swapped } from '../support/graph.js';
import { expectClose, expectMish, held, POINTS } from '../support/mish.js';
import { model, node, value } from '../support/model.js';
import { f32, OPTIMISERS, run } from '../support/run.js';

const F32 = 1;
const F16 = 10;
const BOOL = 9;
const EACH = (['softplus', 'exp', 'native'] as FormName[]).flatMap((form) =>
  OPTIMISERS.map((optimiser) => ({ form, optimiser })),
);

interface LocalParts extends Partial<onnx.IFunctionProto> {
  opset?: number;
}

/** A function local.`name` from a to b. */
function local(
  name: string,
  nodes: onnx.INodeProto[],
  { opset = 18, ...rest }: LocalParts = {},
): onnx.IFunctionProto {
  const opsetImport = [
    { domain: '', version: opset },
    { domain: 'local', version: 1 },
  ];
  return { name, domain: 'local', input: ['a'], output: ['b'], node: nodes, opsetImport, ...rest };
}

function call(name: string, from: string[], to: string, attributes = {}): onnx.INodeProto {
  return node(name, from, [to], attributes, { domain: 'local' });
}

const vector = (type = F32) => ({ inputs: [value('x', type, ['N'])], outputs: [value('y', type, ['N'])] });
const domains = { local: 1 };

describe('a function called several times', () => {
  const act = local('Act', [node('Add', ['a', 'a'], ['h']), node('Relu', ['h'], ['b'], {}, { name: 'act' })]);
  const source = model({
    ...vector(),
    domains,
    functions: [act],
    nodes: [call('Act', ['x'], 'h'), call('Act', ['h'], 'y')],
  });

  test.each(EACH)('$form, optimiser $optimiser', async ({ form, optimiser }) => {
    const { bytes, report } = await swapped(source, { form });
    expect(report.sites).toMatchObject([{ scope: 'function local.Act', elemType: 'f32', node: 'act' }]);
    const { y } = await run(bytes, { x: f32(POINTS) }, optimiser);
    expectClose(
      y,
      POINTS.map((x) => mish(2 * mish(2 * x))),
    );
  });

  test('has its constants inside, since it sees nothing from outside', async () => {
    const { bytes } = await swapped(source, { form: 'exp' });
    const { graph: main, functions } = decode(bytes);
    expect(main?.node?.map(({ opType }) => opType)).toEqual(['Act', 'Act']);
    const inside = functions[0]?.node?.filter(({ opType }) => opType === 'Constant') ?? [];
    expect(inside.map(({ output }) => output?.[0])).toEqual([
      'mish/f32/floor',
      'mish/f32/cap',
      'mish/f32/two',
    ]);
  });
});

test.each(OPTIMISERS)('LeakyRelu whose alpha its caller gives; optimiser %s', async (optimiser) => {
  const leaky = node('LeakyRelu', ['a'], ['b'], { alpha: { ref: 'slope', type: 'FLOAT' } });
  const source = model({
    ...vector(),
    domains,
    functions: [local('Leaky', [leaky], { attribute: ['slope'] })],
    nodes: [
      call('Leaky', ['x'], 'h', { slope: { f: 0.3 } }),
      call('Leaky', ['h'], 'y', { slope: { f: 0.1 } }),
    ],
  });
  const { bytes, report } = await swapped(source, { form: 'exp' });
  expect(report.sites).toMatchObject([{ kind: 'leakyrelu', alpha: '@slope' }]);
  const { y } = await run(bytes, { x: f32(POINTS) }, optimiser);
  expectClose(
    y,
    POINTS.map((x) => mish(mish(x))),
  );
});

describe('element types come from the calls', () => {
  const act = local('Act', [node('Relu', ['a'], ['b'])]);

  test.each(OPTIMISERS)('all f16; optimiser %s', async (optimiser) => {
    const source = model({ ...vector(F16), domains, functions: [act], nodes: [call('Act', ['x'], 'y')] });
    const { bytes, report } = await swapped(source, { form: 'exp' });
    expect(report.sites).toMatchObject([{ elemType: 'f16' }]);
    const { y } = await run(bytes, { x: { type: 'f16', dims: [POINTS.length], data: POINTS } }, optimiser);
    expectMish(y, POINTS, 1, 'f16');
  });

  const both = model({
    domains,
    functions: [act],
    nodes: [call('Act', ['x'], 'y'), call('Act', ['h'], 'g')],
    inputs: [value('x', F32, ['N']), value('h', F16, ['N'])],
    outputs: [value('y', F32, ['N']), value('g', F16, ['N'])],
  });

  test('f16 and f32 calls: a form with constants would be wrong for one of them', async () => {
    const { report } = await swapped(both, { form: 'exp' });
    expect(report.sites).toEqual([]);
    expect(report.skipped).toMatchObject([{ reason: 'type-not-in-form', scope: 'function local.Act' }]);
  });

  test.each(OPTIMISERS)(
    'f16 and f32 calls: a form without is right for both; optimiser %s',
    async (optimiser) => {
      const { bytes } = await swapped(both);
      const h = { type: 'f16', dims: [POINTS.length], data: POINTS } as const;
      const { y, g } = await run(bytes, { x: f32(POINTS), h }, optimiser);
      expectMish(y, POINTS);
      expectMish(g, POINTS, 1, 'f16');
    },
  );

  test('a function that is never called', async () => {
    const source = model({ domains, functions: [act], nodes: [node('Neg', ['x'], ['y'])] });
    expect((await swapped(source, { form: 'exp' })).report.skipped).toMatchObject([
      { reason: 'unknown-type' },
    ]);
    expect((await swapped(source)).report.sites).toHaveLength(1);
  });

  test('a call with a value of unknown type leaves the type open', async () => {
    const source = model({
      domains: { ...domains, other: 1 },
      functions: [act],
      nodes: [
        node('Mystery', ['x'], ['h'], {}, { domain: 'other' }),
        call('Act', ['x'], 'g'),
        call('Act', ['h'], 'y'),
      ],
      outputs: [value('g', F32)],
    });
    expect((await swapped(source, { form: 'exp' })).report.skipped).toMatchObject([
      { reason: 'unknown-type' },
    ]);
  });

  test('through a function that calls another', async () => {
    const outer = local('Outer', [call('Act', ['a'], 'b')]);
    const source = model({
      ...vector(),
      domains,
      functions: [outer, act],
      nodes: [call('Outer', ['x'], 'y')],
    });
    const { bytes, report } = await swapped(source, { form: 'exp' });
    expect(report.sites).toMatchObject([{ scope: 'function local.Act', elemType: 'f32' }]);
    expectMish((await run(bytes, { x: f32(POINTS) })).y, POINTS);
  });
});

describe('a function’s own opset', () => {
  const old = local('Act', [node('Relu', ['a'], ['b'])], { opset: 17 });
  const source = model({ ...vector(), domains, functions: [old], nodes: [call('Act', ['x'], 'y')] });

  test('too low for the form: an error that names the function', async () => {
    await expect(swapped(source, { form: 'native' })).rejects.toMatchObject({
      code: 'unsupported-form',
      what: expect.stringContaining('function local.Act imports opset 17'),
    });
  });

  test('that writes Clip in another way than the model’s: the site stays, with the reason', async () => {
    const ten = local('Act', [node('Relu', ['a'], ['b'])], { opset: 10 });
    const { report } = await swapped(
      model({ ...vector(), domains, functions: [ten], nodes: [call('Act', ['x'], 'y')] }),
      { form: 'exp' },
    );
    expect(report.sites).toEqual([]);
    expect(report.skipped).toMatchObject([{ reason: 'opset-mismatch', scope: 'function local.Act' }]);
  });
});

test.each(EACH)('a nested graph within a function: $form, optimiser $optimiser', async (one) => {
  const branch = (nodes: onnx.INodeProto[]) => graph('branch', nodes, [], [value('z', F32)]);
  const choose = node('If', ['when'], ['b'], {
    then_branch: branch([node('Relu', ['a'], ['z'])]),
    else_branch: branch([node('Identity', ['a'], ['z'])]),
  });
  const source = model({
    domains,
    functions: [local('Maybe', [choose], { input: ['a', 'when'] })],
    nodes: [call('Maybe', ['x', 'cond'], 'y')],
    inputs: [value('x', F32, ['N']), value('cond', BOOL, [])],
    outputs: [value('y', F32, ['N'])],
  });
  const { bytes, report } = await swapped(source, { form: one.form, beta: 2 });
  expect(report.sites).toMatchObject([
    { scope: expect.stringMatching(/^function local\.Maybe\/.*then_branch$/) },
  ]);
  const cond = (yes: number) => ({ type: 'bool', dims: [], data: [yes] }) as const;
  expectMish((await run(bytes, { x: f32(POINTS), cond: cond(1) }, one.optimiser)).y, POINTS, 2);
  const other = await run(bytes, { x: f32(POINTS), cond: cond(0) }, one.optimiser);
  expect(other.y).toEqual(POINTS.map((x) => held(x, 'f32')));
});

test('overloads of one function are functions of their own', async () => {
  const positive = local('Act', [node('Relu', ['a'], ['b'])], { overload: 'one' });
  const doubled = local('Act', [node('Add', ['a', 'a'], ['h']), node('Relu', ['h'], ['b'])], {
    overload: 'two',
  });
  const source = model({
    ...vector(),
    ir: 10,
    domains,
    functions: [positive, doubled],
    nodes: [
      node('Act', ['x'], ['h'], {}, { domain: 'local', overload: 'one' }),
      node('Act', ['h'], ['y'], {}, { domain: 'local', overload: 'two' }),
    ],
  });
  const { bytes, report } = await swapped(source, { form: 'exp' });
  expect(report.sites.map(({ scope }) => scope)).toEqual([
    'function local.Act:one',
    'function local.Act:two',
  ]);
  const { y } = await run(bytes, { x: f32(POINTS) });
  expectClose(
    y,
    POINTS.map((x) => mish(2 * mish(x))),
  );
});
