import { describe, expect, test } from 'vitest';
import { fixRelu } from '../../src/mish/fix-relu.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { retarget } from '../../src/mish/retarget.js';
import { ifNode, LOOP_INITIALIZERS, loopNode } from '../support/bodies.js';
import { allNodes, decode, ops, reluModel, swapped } from '../support/graph.js';
import { expectClose, POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { f32, load, OPTIMISERS, run } from '../support/run.js';

const F32 = 1;
const vector = (name: string, type = F32) => value(name, type, ['N']);

async function fixed(bytes: Uint8Array) {
  const { output, report } = await fixRelu(bytes);
  return { bytes: await output.bytes(), report };
}

const allOps = (bytes: Uint8Array) => allNodes(decode(bytes)).map(({ opType }) => opType);
const finite = POINTS.filter(Number.isFinite);

describe('fixRelu', () => {
  test.each(OPTIMISERS)('computes the same, optimiser %s', async (optimiser) => {
    const conv = (x: string, y: string) => node('Conv', [x, 'w'], [y], { pads: [1, 1, 1, 1] });
    const image = (name: string) => value(name, F32, [1, 1, 'H', 1]);
    const bytes = model({
      nodes: [
        conv('x', 'c'),
        node('Relu', ['c'], ['r']),
        conv('r', 'd'),
        node('Add', ['d', 'x'], ['a']),
        node('Relu', ['a'], ['y']),
      ],
      inputs: [image('x')],
      outputs: [image('y'), image('d')],
      initializers: [floats('w', [1, 1, 3, 3], [1, -2, 3, -4, 5, -6, 7, -8, 9])],
    });
    const { bytes: after, report } = await fixed(bytes);
    expect(report.relus.map(({ output }) => output)).toEqual(['r', 'y']);
    expect(ops(after)).toEqual(['Conv', 'LeakyRelu', 'Conv', 'Add', 'LeakyRelu']);
    const feeds = { x: f32(finite, [1, 1, finite.length, 1]) };
    const plain = (numbers: readonly number[] = []) => numbers.map((number) => number + 0); // -0 is 0
    const [was, is] = [await run(bytes, feeds, optimiser), await run(after, feeds, optimiser)];
    expect(plain(is.y)).toEqual(plain(was.y));
    expect(plain(is.d)).toEqual(plain(was.d));
  });

  test('keeps names, and what it did in the record', async () => {
    const { bytes, report } = await fixed(reluModel());
    const [one] = decode(bytes).graph?.node ?? [];
    expect(one).toMatchObject({ opType: 'LeakyRelu', name: 'act', input: ['x'], output: ['y'] });
    expect(one?.attribute).toMatchObject([{ name: 'alpha', type: 1, f: 0 }]);
    expect(report.relus).toEqual([
      { scope: 'graph', label: 'act', node: 'act', output: 'y', kind: 'relu', elemType: 'f32' },
    ]);
    expect((await inspect(bytes)).history).toMatchObject([
      { operation: 'fix-relu', form: 'leakyrelu', sites: 1 },
    ]);
  });

  test('in bodies and functions', async () => {
    const branch = (op: string) => [node(op, ['h'], ['o'])];
    const source = model({
      nodes: [
        node('F', ['x'], ['h'], {}, { domain: 'local' }),
        ifNode('i', 'o', branch('Relu'), branch('Neg')),
        loopNode('i', 'y', [node('Relu', ['carried'], ['next'])]),
      ],
      inputs: [vector('x'), value('cond', 9, [])],
      outputs: [vector('y')],
      initializers: LOOP_INITIALIZERS,
      domains: { local: 1 },
      functions: [
        {
          name: 'F',
          domain: 'local',
          input: ['a'],
          output: ['b'],
          node: [node('Relu', ['a'], ['b'])],
          opsetImport: [{ domain: '', version: 18 }],
        },
      ],
    });
    const { bytes, report } = await fixed(source);
    expect(report.relus).toHaveLength(3);
    expect(allOps(bytes)).not.toContain('Relu');
    expect(await (await undo(bytes)).bytes()).toEqual(source);
    for (const cond of [0, 1]) {
      const feeds = { x: f32([-1, 2]), cond: { type: 'bool' as const, dims: [], data: [cond] } };
      const [was, is] = [await run(source, feeds), await run(bytes, feeds)];
      expect(is.y?.map((y) => y + 0)).toEqual(was.y?.map((y) => y + 0));
    }
  });

  test('leaves Relu of other domains alone', async () => {
    const source = model({
      nodes: [node('Relu', ['x'], ['y'], {}, { domain: 'other' })],
      domains: { other: 1 },
    });
    expect((await fixed(source)).bytes).toEqual(source);
  });

  test.each([
    ['i32', 6, 'integer'],
    ['f64', 11, 'type-not-in-form'],
    ['bf16', 16, 'type-not-in-form'],
  ])('%s stays', async (type, number, reason) => {
    const source = reluModel({ inputs: [vector('x', number)] });
    const { bytes, report } = await fixed(source);
    expect(bytes).toEqual(source);
    expect(report).toMatchObject({ relus: [], skipped: [{ reason, kind: 'relu' }] });
    expect(report.skipped[0]?.why).toContain(type);
  });

  test.each([
    ['f64', 13],
    ['f64', 20],
  ])('because there is a Relu and no LeakyRelu for %s in opset %i', async (_, opset) => {
    const io = { inputs: [vector('x', 11)], outputs: [vector('y', 11)], opset };
    await load(model({ ...io, nodes: [node('Relu', ['x'], ['y'])] }));
    const leaky = model({ ...io, nodes: [node('LeakyRelu', ['x'], ['y'], { alpha: { f: 0 } })] });
    await expect(load(leaky)).rejects.toThrow(/LeakyRelu/);
  });

  test.each([6, 14, 16, 20])('f16, opset %i', async (opset) => {
    const io = { inputs: [vector('x', 10)], outputs: [vector('y', 10)], opset };
    const { bytes } = await fixed(reluModel(io));
    const feeds = { x: { type: 'f16' as const, dims: [3], data: [-2, 0, 3] } };
    expect((await run(bytes, feeds)).y?.map((y) => y + 0)).toEqual([0, 0, 3]);
  });
});

describe('retarget with fixRelu', () => {
  const source = model({ nodes: [node('Relu', ['x'], ['h']), node('LeakyRelu', ['h'], ['y'])] });

  test('does both at once, and undo undoes both', async () => {
    const { bytes: mish } = await swapped(source, { only: ['leakyrelu'] });
    const { output, report } = await retarget(mish, { target: 'webgl', fixRelu: true });
    const bytes = await output.bytes();
    expect(report.sites).toHaveLength(1);
    expect(report.relus).toMatchObject([{ output: 'h' }]);
    expect(ops(bytes).filter((op) => op !== 'Constant')).toEqual([
      'LeakyRelu',
      'Clip',
      'Exp',
      'Add',
      'Mul',
      'Add',
      'Div',
      'Mul',
    ]);
    expect((await inspect(bytes)).history.map(({ operation }) => operation)).toEqual([
      'swap',
      'retarget',
      'fix-relu',
    ]);
    expect(await (await undo(bytes)).bytes()).toEqual(mish);
    const feeds = { x: f32([-2, -0.5, 0.5, 2], [1, 4]) };
    expectClose((await run(bytes, feeds)).y, (await run(mish, feeds)).y ?? []);
  });

  test('without Mish it fixes the Relu alone; without being asked it does not', async () => {
    const { output, report } = await retarget(source, { target: 'webgl', fixRelu: true });
    expect(report).toMatchObject({ sites: [], relus: [{ output: 'h' }] });
    expect(await (await undo(await output.bytes())).bytes()).toEqual(source);
    const plain = await retarget(source, { target: 'webgl' });
    expect(plain.report.relus).toEqual([]);
    expect(await plain.output.bytes()).toEqual(source);
  });
});

describe('a Relu that stays', () => {
  test('because it is not as it should be, or cannot be written again', async () => {
    const nodes = [
      node('Relu', [], ['a']),
      node('Relu', ['x', 'x'], ['b']),
      node('Relu', ['x'], ['c', 'd']),
      node('Relu', ['x'], []),
    ];
    const bytes = model({ nodes });
    const { bytes: after, report } = await fixed(bytes);
    expect(report.relus).toEqual([]);
    expect(report.skipped.map(({ reason, why }) => [reason, why])).toEqual(
      nodes.map(() => ['malformed', 'it lacks its input or output']),
    );
    expect(after).toEqual(bytes);
    const lossy = reluModel({ nodes: [node('Relu', ['x'], ['y'], {}, { name: 'qqq' })] });
    lossy[Buffer.from(lossy).indexOf('qqq')] = 0xff;
    expect((await fixed(lossy)).report.skipped).toMatchObject([
      { reason: 'malformed', why: 'its names are not valid UTF-8' },
    ]);
    const body = { name: 'b', node: [node('Relu', ['x'], ['inner'])] };
    const nested = await fixed(reluModel({ nodes: [node('Relu', ['x'], ['y'], { g: { graph: body } })] }));
    expect(nested.report).toMatchObject({
      relus: [{ output: 'inner' }],
      skipped: [{ reason: 'malformed', why: 'it has a graph inside', output: 'y' }],
    });
  });

  test('is told by the type on either side; of an unknown type it is rewritten, as nearly every Relu is a float’s', async () => {
    const relu = [node('Relu', ['x'], ['y'])];
    const ends = [
      { inputs: [vector('x', 7)], outputs: [{ name: 'y' }] },
      { inputs: [{ name: 'x' }], outputs: [vector('y', 7)] },
    ];
    for (const end of ends)
      expect((await fixed(model({ nodes: relu, ...end }))).report.skipped).toMatchObject([
        { reason: 'integer', why: 'its elements are i64' },
      ]);
    const unknown = { inputs: [{ name: 'x' }], outputs: [{ name: 'y' }] };
    expect((await fixed(model({ nodes: relu, ...unknown }))).report.relus).toMatchObject([
      { output: 'y', elemType: 'unknown' },
    ]);
  });
});
