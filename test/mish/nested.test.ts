import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import type { FormName } from '../../src/mish/forms.js';
import { mish } from '../../src/mish/reference.js';
import { scan } from '../../src/onnx/scan.js';
import { graph, ifNode, LOOP_INITIALIZERS, loopNode, scanNode, scanStart } from '../support/bodies.js';
import { allNodes, decode, swapped } from '../support/graph.js';
import { expectClose, expectMish, POINTS } from '../support/mish.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { f32, OPTIMISERS, run } from '../support/run.js';

const F32 = 1;
const BOOL = 9;
const FORMS: readonly FormName[] = ['softplus', 'exp', 'native'];
const EACH = FORMS.flatMap((form) => OPTIMISERS.map((optimiser) => ({ form, optimiser })));

const relu = (from: string, to: string) => node('Relu', [from], [to]);
const neg = (from: string, to: string) => node('Neg', [from], [to]);
const ifInputs = [value('x', F32, ['N']), value('cond', BOOL, [])];
const cond = (yes: boolean) => ({ type: 'bool', dims: [], data: [yes ? 1 : 0] }) as const;

describe('If', () => {
  // Both branches use the same names, and read x from around them; the site makes the branch's output.
  const source = model({
    nodes: [ifNode('y', 'z', [relu('x', 'z')], [neg('x', 'h'), relu('h', 'z')])],
    inputs: ifInputs,
    outputs: [value('y', F32, ['N'])],
  });

  test.each(EACH)('branches that use the same names: $form, optimiser $optimiser', async (one) => {
    const { bytes, report } = await swapped(source, { form: one.form });
    expect(report.sites.map(({ scope, output }) => [scope, output])).toEqual([
      ['graph/choose.then_branch', 'z'],
      ['graph/choose.else_branch', 'z'],
    ]);
    const yes = await run(bytes, { x: f32(POINTS), cond: cond(true) }, one.optimiser);
    expectMish(yes.y, POINTS);
    const no = await run(bytes, { x: f32(POINTS), cond: cond(false) }, one.optimiser);
    expectMish(
      no.y,
      POINTS.map((x) => -x),
    );
  });

  test('new names differ between sibling branches, and constants are made once, outside', async () => {
    const { bytes } = await swapped(source, { form: 'exp' });
    const nodes = allNodes(decode(bytes));
    const names = nodes.map(({ name }) => name).filter((name) => name !== '');
    expect(new Set(names).size).toBe(names.length);
    const made = nodes.flatMap(({ output }) => output ?? []).filter((name) => name !== 'z' && name !== '');
    expect(new Set(made).size).toBe(made.length);
    const constants = (decode(bytes).graph?.node ?? []).filter(({ opType }) => opType === 'Constant');
    expect(constants).toHaveLength(3);
    expect(nodes.filter(({ opType }) => opType === 'Constant')).toHaveLength(3);
  });

  test('two nodes of the same name: their branches keep apart, in the plan too', async () => {
    const twins = model({
      nodes: [
        ifNode('a', 'z', [relu('x', 'z')], [neg('x', 'z')]),
        ifNode('y', 'z', [relu('a', 'z')], [neg('a', 'z')]),
      ],
      inputs: ifInputs,
      outputs: [value('y', F32, ['N'])],
    });
    const { report } = await swapped(twins);
    const keys = report.sites.map(({ scope, output }) => `${scope} ${output}`);
    expect(new Set(keys).size).toBe(2);
  });
});

/** A body sees the constants around it, and need not make them anew in each round. */
async function expectConstantsOutside(bytes: Uint8Array): Promise<void> {
  const inside = (await scan(bytes)).scopes.filter(({ owner }) => owner !== undefined);
  expect(inside.length).toBeGreaterThan(0);
  expect(inside.flatMap(({ nodes }) => nodes.map(({ opType }) => opType))).not.toContain('Constant');
}

describe('Loop', () => {
  const source = model({
    nodes: [loopNode('x', 'y', [relu('carried', 'next')])],
    inputs: [value('x', F32, ['N'])],
    outputs: [value('y', F32, ['N'])],
    initializers: LOOP_INITIALIZERS,
  });
  const twice = POINTS.map((x) => mish(mish(x)));

  test.each(EACH)('the carried value: $form, optimiser $optimiser', async ({ form, optimiser }) => {
    const { bytes } = await swapped(source, { form });
    expectClose((await run(bytes, { x: f32(POINTS) }, optimiser)).y, twice);
    await expectConstantsOutside(bytes);
  });

  test('the graph around it is opset 11, where Clip’s bounds are inputs already', async () => {
    const old = model({
      opset: 11,
      ir: 6,
      nodes: [loopNode('x', 'y', [relu('carried', 'next')])],
      inputs: [value('x', F32, ['N'])],
      outputs: [value('y', F32, ['N'])],
      initializers: LOOP_INITIALIZERS,
    });
    const { bytes } = await swapped(old, { form: 'exp' });
    expectClose((await run(bytes, { x: f32(POINTS) })).y, twice);
  });
});

describe('Scan', () => {
  const width = 4;
  const rows = POINTS.length / width;
  const source = model({
    nodes: [scanNode('x', 'y', [relu('row', 'mapped')], width)],
    inputs: [value('x', F32, [rows, width])],
    outputs: [value('y', F32, [rows, width]), value('total', F32, [width])],
    initializers: [scanStart(width)],
  });

  test.each(EACH)('rows and state: $form, optimiser $optimiser', async ({ form, optimiser }) => {
    const { bytes } = await swapped(source, { form });
    const { y, total } = await run(bytes, { x: f32(POINTS, [rows, width]) }, optimiser);
    expectMish(y, POINTS);
    await expectConstantsOutside(bytes);
    const sums = [0, 1, 2, 3].map((column) =>
      POINTS.filter((_, at) => at % width === column).reduce((sum, x) => sum + mish(x), 0),
    );
    expectClose(total, sums);
  });
});

describe('three deep', () => {
  // An If in a Loop in an If. The site reads `bias`, an initializer of the main graph, two borders away.
  const add = (from: string, to: string) => node('Add', [from, 'bias'], [to]);
  const inner = ifNode(
    'next',
    'deep',
    [add('carried', 'sum'), relu('sum', 'deep')],
    [node('Identity', ['carried'], ['deep'])],
    'inner',
  );
  const source = model({
    nodes: [relu('x', 'w'), ifNode('y', 'z', [loopNode('w', 'z', [inner])], [relu('w', 'z')], 'outer')],
    inputs: ifInputs,
    outputs: [value('y', F32, ['N'])],
    initializers: [...LOOP_INITIALIZERS, floats('bias', [1], [-0.75])],
  });

  test.each(EACH)('$form, optimiser $optimiser', async ({ form, optimiser }) => {
    const { bytes, report } = await swapped(source, { form, beta: 2 });
    expect(report.sites.map(({ scope }) => scope)).toEqual([
      'graph',
      'graph/outer.then_branch/repeat.body/inner.then_branch',
      'graph/outer.else_branch',
    ]);
    const site = (x: number) => mish(x, 2);
    const { y } = await run(bytes, { x: f32(POINTS), cond: cond(true) }, optimiser);
    expectClose(
      y,
      POINTS.map((x) => site(site(site(x) - 0.75) - 0.75)),
    );
    const other = await run(bytes, { x: f32(POINTS), cond: cond(false) }, optimiser);
    expectClose(
      other.y,
      POINTS.map((x) => site(site(x))),
    );
  });
});

describe('SequenceMap, whose body is a graph as well', () => {
  const item = (name: string) => value(name, F32);
  const body = graph('body', [relu('in', 'out')], [item('in')], [item('out')]);
  const source = model({
    opset: 17,
    nodes: [
      node('SequenceConstruct', ['x', 'x'], ['many']),
      node('SequenceMap', ['many'], ['mapped'], { body }, { name: 'each' }),
      node('SequenceAt', ['mapped', 'second'], ['y']),
    ],
    inputs: [value('x', F32, ['N'])],
    outputs: [value('y', F32, ['N'])],
    initializers: [ints('second', [], [1])],
  });

  test.each(OPTIMISERS)('has its constants in the body itself; optimiser %s', async (optimiser) => {
    const { bytes } = await swapped(source, { form: 'exp' });
    const main: onnx.INodeProto[] = decode(bytes).graph?.node ?? [];
    expect(main.filter(({ opType }) => opType === 'Constant')).toEqual([]);
    expectMish((await run(bytes, { x: f32(POINTS) }, optimiser)).y, POINTS);
  });
});

test('a body’s site whose element type only the outer graph tells', async () => {
  // Neither the branch's output nor anything in it has a type; x has one.
  const branch = (to: string) => graph('b', [relu('x', to)], [], [{ name: to }]);
  const source = model({
    nodes: [node('If', ['cond'], ['y'], { then_branch: branch('p'), else_branch: branch('q') })],
    inputs: ifInputs,
  });
  const { report } = await swapped(source, { form: 'exp' });
  expect(report.sites.map(({ elemType }) => elemType)).toEqual(['f32', 'f32']);
});
