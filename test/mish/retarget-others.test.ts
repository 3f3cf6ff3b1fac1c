import { describe, expect, test } from 'vitest';
import { elu, hardSwish } from '../../src/mish/elementwise.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { leakyRelu, mish } from '../../src/mish/reference.js';
import { retarget } from '../../src/mish/retarget.js';
import { DataType } from '../../src/onnx/types.js';
import { ops } from '../support/graph.js';
import { expectClose, held, POINTS } from '../support/mish.js';
import { model, node, value } from '../support/model.js';
import { run } from '../support/run.js';

/** One activation beside the other, each from `x`. */
const source = (type: number, steep = true) =>
  model({
    nodes: [
      node('HardSwish', ['x'], ['hard']),
      node('LeakyRelu', ['x'], ['leaky'], { alpha: { f: 0.25 } }),
      node('Elu', ['x'], ['elu']),
      ...(steep ? [node('Elu', ['x'], ['steep'], { alpha: { f: 2 } })] : []),
      node('Mish', ['x'], ['mish']),
      node('Relu', ['x'], ['relu']),
    ],
    inputs: [value('x', type, ['N'])],
    outputs: ['hard', 'leaky', 'elu', ...(steep ? ['steep'] : []), 'mish', 'relu'].map((name) =>
      value(name, type, ['N']),
    ),
  });
const operators = (bytes: Uint8Array) => new Set(ops(bytes));

describe('retarget with a target', () => {
  test('writes HardSwish in the operators of WebGL, beside Mish, and undo restores it', async () => {
    const bytes = source(DataType.FLOAT);
    const { output, report } = await retarget(bytes, { target: 'webgl', fix: false });
    expect(report.others.map(({ kind, output: name }) => [kind, name])).toEqual([['hardswish', 'hard']]);
    expect(report.sites).toHaveLength(1);
    const after = await output.bytes();
    expect(operators(after)).not.toContain('HardSwish');
    expect(operators(after)).toContain('LeakyRelu');
    expect((await inspect(after)).kinds).toEqual({ elu: 2, hardswish: 1, leakyrelu: 1, mish: 1, relu: 1 });
    expect((await inspect(after)).history).toMatchObject([
      { operation: 'retarget', form: 'exp, clip', sites: 2 },
    ]);
    const given = { x: { type: 'f32', dims: [POINTS.length], data: POINTS } } as const;
    const outputs = await run(after, given);
    expectClose(
      outputs.hard,
      POINTS.map((x) => hardSwish(held(x, 'f32'))),
    );
    expectClose(
      outputs.mish,
      POINTS.map((x) => mish(held(x, 'f32'))),
    );
    expect(Buffer.compare(await (await undo(after)).bytes(), bytes)).toBe(0);
  });

  test('writes what the CPU lacks for float64, except an Elu of another slope', async () => {
    const bytes = source(DataType.DOUBLE);
    const { output, report } = await retarget(bytes, { target: 'cpu' });
    expect(report.others.map(({ output: name }) => name)).toEqual(['hard', 'leaky', 'elu']);
    const after = await output.bytes();
    expect(ops(after).filter((op) => op === 'Elu')).toHaveLength(1);
    const { output: whole } = await retarget(source(DataType.DOUBLE, false), { target: 'cpu' });
    const given = { x: { type: 'f64', dims: [POINTS.length], data: POINTS } } as const;
    const outputs = await run(await whole.bytes(), given);
    expectClose(outputs.hard, POINTS.map(hardSwish), 'f64');
    expectClose(
      outputs.leaky,
      POINTS.map((x) => leakyRelu(x, 0.25)),
      'f64',
    );
    expectClose(
      outputs.elu,
      POINTS.map((x) => elu(x, 1)),
      'f64',
    );
  });

  test('leaves a model that the target runs, byte for byte', async () => {
    const bytes = model({ nodes: [node('LeakyRelu', ['x'], ['y'])] });
    for (const target of ['cpu', 'webgl', 'webgpu'] as const)
      expect(Buffer.compare(await (await retarget(bytes, { target })).output.bytes(), bytes)).toBe(0);
    const hard = model({ nodes: [node('HardSwish', ['x'], ['y'])] });
    expect(Buffer.compare(await (await retarget(hard, { form: 'exp' })).output.bytes(), hard)).toBe(0);
  });
});
