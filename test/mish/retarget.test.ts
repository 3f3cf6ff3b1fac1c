import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import type { FormName } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { mish } from '../../src/mish/reference.js';
import { type RetargetOptions, retarget } from '../../src/mish/retarget.js';
import { scan } from '../../src/onnx/scan.js';
import { graph, LOOP_INITIALIZERS, loopNode } from '../support/bodies.js';
import { allNodes, decode, ops, reluModel, swapped } from '../support/graph.js';
import { expectClose, expectMish, POINTS } from '../support/mish.js';
import { type ModelParts, model, node, value } from '../support/model.js';
import { constant, torchMish } from '../support/patterns.js';
import { f32, OPTIMISERS, run } from '../support/run.js';

const F32 = 1;
const FORMS: readonly FormName[] = ['softplus', 'exp', 'native'];
const PAIRS = FORMS.flatMap((from) => FORMS.filter((to) => to !== from).map((to) => ({ from, to })));
const vector = (name: string, type = F32) => value(name, type, ['N']);
const interface_ = { inputs: [vector('x')], outputs: [vector('y')] };

async function retargeted(bytes: Uint8Array, options: RetargetOptions) {
  const { output, report } = await retarget(bytes, options);
  return { bytes: await output.bytes(), report };
}

/** Operators of the main graph without the constants. */
const work = (bytes: Uint8Array) => ops(bytes).filter((op) => op !== 'Constant');

describe('from each form to each other', () => {
  const cases = PAIRS.flatMap((pair) =>
    [1, 2, 0.5].flatMap((beta) => OPTIMISERS.map((optimiser) => ({ ...pair, beta, optimiser }))),
  );
  test.each(cases)('$from → $to, β = $beta, optimiser $optimiser: no drift', async (one) => {
    const source = await swapped(reluModel(interface_), { form: one.from, beta: one.beta });
    const { bytes, report } = await retargeted(source.bytes, { form: one.to });
    expect(report).toMatchObject({ form: one.to, unchanged: 0, skipped: [] });
    expect(report.sites).toMatchObject([{ kind: one.from, beta: one.beta, output: 'y', elemType: 'f32' }]);
    expect(report.notes).toEqual((await swapped(reluModel(interface_), { form: one.to })).report.notes);
    // Nothing of the old form is left.
    const straight = await swapped(reluModel(interface_), { form: one.to, beta: one.beta });
    expect(ops(bytes)).toEqual(ops(straight.bytes));
    const before = await run(source.bytes, { x: f32(POINTS) }, one.optimiser);
    const after = await run(bytes, { x: f32(POINTS) }, one.optimiser);
    expectMish(after.y, POINTS, one.beta);
    expectClose(after.y, before.y ?? []);
  });

  test.each([
    ['f16', 10],
    ['f64', 11],
  ] as const)('in %s', async (type, number) => {
    const io = { inputs: [vector('x', number)], outputs: [vector('y', number)] };
    const source = await swapped(reluModel(io), { form: 'softplus' });
    const { bytes } = await retargeted(source.bytes, { form: 'exp' });
    const { y } = await run(bytes, { x: { type, dims: [POINTS.length], data: POINTS } });
    expectMish(y, POINTS, 1, type);
  });

  test('there and back gives the same graph', async () => {
    for (const { from, to } of PAIRS) {
      const source = await swapped(reluModel(), { form: from, beta: 2 });
      const there = await retargeted(source.bytes, { form: to });
      const back = await retargeted(there.bytes, { form: from });
      expect(decode(back.bytes).graph).toEqual(decode(source.bytes).graph);
    }
  });

  test('to the form it has changes nothing', async () => {
    for (const form of FORMS) {
      const source = await swapped(reluModel(), { form });
      const { bytes, report } = await retargeted(source.bytes, { form });
      expect(bytes).toEqual(source.bytes);
      expect(report).toMatchObject({ sites: [], unchanged: 1 });
    }
  });

  test('a target chooses the form', async () => {
    const source = await swapped(reluModel());
    expect((await retargeted(source.bytes, { target: 'webgl' })).report.form).toBe('exp');
  });
});

describe('a model that somebody else exported', () => {
  // Two layers with PyTorch's names, one Mul each way round, and value_info for what lies between.
  const yolo = model({
    ...interface_,
    nodes: [...torchMish('x', 'h', 'x last'), node('Neg', ['h'], ['n']), ...torchMish('n', 'y')],
    values: ['/h/Softplus_output_0', '/h/Tanh_output_0', 'h'].map((name) => vector(name)),
  });
  const exact = POINTS.map((x) => mish(-mish(x)));

  test.each(
    (['exp', 'native'] as const).flatMap((form) => OPTIMISERS.map((optimiser) => ({ form, optimiser }))),
  )('$form, optimiser $optimiser', async ({ form, optimiser }) => {
    const { bytes, report } = await retargeted(yolo, { form });
    expect(report.sites.map(({ label }) => label)).toEqual(['/h/Mul', '/y/Mul']);
    expect(work(bytes)).not.toContain('Softplus');
    expectClose((await run(yolo, { x: f32(POINTS) }, optimiser)).y, exact);
    expectClose((await run(bytes, { x: f32(POINTS) }, optimiser)).y, exact);
  });

  test('loses the value_info of what it no longer has, and keeps the rest', async () => {
    const { bytes } = await retargeted(yolo, { form: 'exp' });
    expect([...(await scan(bytes)).graph.values.keys()]).toEqual(['h']);
    expect(await (await undo(bytes)).bytes()).toEqual(yolo);
  });

  test('has no site for a swap, and a swap does not touch it', async () => {
    const { bytes, report } = await swapped(yolo);
    expect(report.sites).toEqual([]);
    expect(bytes).toEqual(yolo);
  });
});

describe('what others read stays', () => {
  const sp = '/y/Softplus_output_0';
  const th = '/y/Tanh_output_0';
  const cases: [string, ModelParts, string[]][] = [
    [
      'the Softplus is an output',
      { nodes: torchMish(), outputs: [vector('y'), vector(sp)], inputs: [vector('x')] },
      ['Softplus', 'Mish'],
    ],
    [
      'the Tanh is read elsewhere',
      {
        nodes: [...torchMish(), node('Neg', [th], ['z'])],
        outputs: [vector('y'), vector('z')],
        inputs: [vector('x')],
      },
      ['Softplus', 'Tanh', 'Mish', 'Neg'],
    ],
    [
      'x has other readers',
      {
        nodes: [...torchMish(), node('Neg', ['x'], ['z'])],
        outputs: [vector('y'), vector('z')],
        inputs: [vector('x')],
      },
      ['Mish', 'Neg'],
    ],
  ];
  test.each(cases)('%s', async (_, parts, left) => {
    const source = model(parts);
    const { bytes } = await retargeted(source, { form: 'native' });
    expect(work(bytes)).toEqual(left);
    for (const optimiser of OPTIMISERS) {
      const before = await run(source, { x: f32(POINTS) }, optimiser);
      const after = await run(bytes, { x: f32(POINTS) }, optimiser);
      expect(Object.keys(after)).toEqual(Object.keys(before));
      for (const [name, numbers] of Object.entries(before)) expectClose(after[name], numbers);
    }
  });

  test('an inner value that a body reads by its name', async () => {
    const body = [node('Add', ['carried', th], ['next'])];
    const source = model({
      ...interface_,
      nodes: [...torchMish('x', 'y'), loopNode('x', 'z', body)],
      outputs: [vector('y'), vector('z')],
      initializers: LOOP_INITIALIZERS,
    });
    const { bytes } = await retargeted(source, { form: 'exp' });
    expect(work(bytes).slice(0, 2)).toEqual(['Softplus', 'Tanh']);
    const [before, after] = [await run(source, { x: f32(POINTS) }), await run(bytes, { x: f32(POINTS) })];
    expectClose(after.z, before.z ?? []);
  });

  test('a constant of the old form that another node reads', async () => {
    const source = await swapped(reluModel(interface_), { form: 'exp' });
    const message = decode(source.bytes);
    const nodes = [...(message.graph?.node ?? []), node('Add', ['x', 'mish/f32/two'], ['z'])];
    const shared = model({ inputs: [vector('x')], nodes, outputs: [vector('y'), vector('z')] });
    const { bytes } = await retargeted(shared, { form: 'softplus' });
    expect(ops(bytes)).toEqual(['Constant', 'Softplus', 'Tanh', 'Mul', 'Add']);
    expectClose(
      (await run(bytes, { x: f32(POINTS) })).z,
      POINTS.map((x) => x + 2),
    );
  });

  test('two results from one Tanh: both are rewritten, once each', async () => {
    const [softplus, tanh, mul] = torchMish();
    const nodes = [softplus, tanh, mul, { ...mul, name: 'again', output: ['z'] }] as onnx.INodeProto[];
    const source = model({ inputs: [vector('x')], nodes, outputs: [vector('y'), vector('z')] });
    const { bytes } = await retargeted(source, { form: 'native' });
    expect(work(bytes)).toEqual(['Mish', 'Mish']);
    const { y, z } = await run(bytes, { x: f32(POINTS) });
    expectMish(y, POINTS);
    expect(z).toEqual(y);
  });
});

test.each(PAIRS.filter(({ from }) => from !== 'native'))(
  'Mish of a value inside another Mish, which has to stay: $from → $to',
  async ({ from, to }) => {
    const first = await swapped(reluModel(interface_), { form: from, beta: 2 });
    const nodes = decode(first.bytes).graph?.node ?? [];
    for (const { output } of nodes.filter(({ opType }) => opType !== 'Constant').slice(0, -1)) {
      const inner = output?.[0] ?? '';
      const both = model({
        inputs: [vector('x')],
        nodes: [...nodes, node('Relu', [inner], ['z'])],
        outputs: [vector('y'), vector('z')],
      });
      // By its name, as behind the Clip of a form it is half of a clamp.
      const source = await swapped(both, { form: from, include: ['z'] });
      expect(source.report.sites).toHaveLength(1);
      const { bytes, report } = await retargeted(source.bytes, { form: to });
      expect(report.sites).toHaveLength(2);
      const before = await run(source.bytes, { x: f32(POINTS) });
      const after = await run(bytes, { x: f32(POINTS) });
      expectClose(after.y, before.y ?? []);
      expectClose(after.z, before.z ?? []);
    }
  },
);

describe('a Mish inside a sharpened one', () => {
  const nodes = [
    constant('b', 2),
    constant('c', 0.5),
    node('Mul', ['x', 'b'], ['s']),
    node('Mish', ['s'], ['m']),
    node('Mul', ['m', 'c'], ['y']),
  ];
  const exact = { m: POINTS.map((x) => mish(2 * x)), y: POINTS.map((x) => mish(x, 2)) };

  test.each(['softplus', 'exp'] as const)(
    'that is read by itself too leaves no old form: %s',
    async (form) => {
      const source = model({ inputs: [vector('x')], nodes, outputs: [vector('y'), vector('m')] });
      const { bytes, report } = await retargeted(source, { form });
      expect(report.sites).toHaveLength(2);
      expect(ops(bytes)).not.toContain('Mish');
      const { y, m } = await run(bytes, { x: f32(POINTS) });
      expectClose(m, exact.m);
      expectClose(y, exact.y);
    },
  );

  test('that two sharpened ones share goes with them', async () => {
    const twice = [...nodes, node('Mul', ['c', 'm'], ['z'])];
    const source = model({ inputs: [vector('x')], nodes: twice, outputs: [vector('y'), vector('z')] });
    const { bytes } = await retargeted(source, { form: 'exp' });
    expect(ops(bytes)).not.toContain('Mish');
    const { y, z } = await run(bytes, { x: f32(POINTS) });
    expectClose(y, exact.y);
    expectClose(z, exact.y);
  });
});

describe('in bodies and functions', () => {
  const loop = model({
    ...interface_,
    nodes: [loopNode('x', 'y', torchMish('carried', 'next'))],
    initializers: LOOP_INITIALIZERS,
  });
  const local: onnx.IFunctionProto = {
    name: 'Act',
    domain: 'local',
    input: ['a'],
    output: ['b'],
    node: torchMish('a', 'b'),
    opsetImport: [{ domain: '', version: 18 }],
  };
  const call = (from: string, to: string) => node('Act', [from], [to], {}, { domain: 'local' });
  const functions = model({
    ...interface_,
    nodes: [call('x', 'h'), call('h', 'y')],
    functions: [local],
    domains: { local: 1 },
  });
  const choice = graph('b', torchMish('x', 'z'), [], [vector('z')]);
  const branch = model({
    ...interface_,
    nodes: [
      constant('no', 0),
      node('Cast', ['no'], ['cond'], { to: 9 }),
      node('If', ['cond'], ['h'], { then_branch: choice, else_branch: choice }),
      ...torchMish('h', 'y'),
    ],
  });
  const cases = Object.entries({ Loop: loop, functions, If: branch }).flatMap(([name, source]) =>
    (['exp', 'native'] as const).flatMap((form) =>
      OPTIMISERS.map((optimiser) => ({ name, source, form, optimiser })),
    ),
  );
  test.each(cases)('$name, $form, optimiser $optimiser', async ({ source, form, optimiser }) => {
    const { bytes } = await retargeted(source, { form });
    expect(allNodes(decode(bytes)).map(({ opType }) => opType)).not.toContain('Softplus');
    const twice = POINTS.map((x) => mish(mish(x)));
    expectClose((await run(source, { x: f32(POINTS) }, optimiser)).y, twice);
    expectClose((await run(bytes, { x: f32(POINTS) }, optimiser)).y, twice);
  });
});

describe('what cannot be', () => {
  test('an opset without the form is refused, and the form it has is named', async () => {
    const source = await swapped(reluModel({ opset: 17 }), { form: 'exp' });
    await expect(retargeted(source.bytes, { form: 'native' })).rejects.toMatchObject({
      code: 'unsupported-form',
      fix: expect.stringContaining('the exp form'),
      option: { form: 'exp', opset: 18 },
    });
  });

  test('an unknown element type is skipped with the reason', async () => {
    const source = model({
      domains: { other: 1 },
      nodes: [node('Mystery', ['x'], ['a'], {}, { domain: 'other' }), ...torchMish('a', 'b')],
    });
    const { bytes, report } = await retargeted(source, { form: 'exp' });
    expect(bytes).toEqual(source);
    expect(report.skipped).toMatchObject([{ output: 'b', kind: 'softplus', reason: 'unknown-type' }]);
    expect((await retargeted(source, { form: 'native' })).report.sites).toHaveLength(1);
  });
});

test('a Mish that nobody reads is rewritten as any other', async () => {
  const source = model({ nodes: [...torchMish('x', 'unused'), node('Neg', ['x'], ['y'])], ...interface_ });
  const { bytes, report } = await retargeted(source, { form: 'exp' });
  expect(report.sites).toMatchObject([{ output: 'unused' }]);
  expect(work(bytes)).toEqual(['Clip', 'Exp', 'Add', 'Mul', 'Add', 'Div', 'Mul', 'Neg']);
});
