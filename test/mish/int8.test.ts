import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { INT8_WAYS } from '../../src/mish/int8-ways.js';
import { parsePlan, planOf } from '../../src/mish/plan.js';
import { fitQlinear } from '../../src/mish/qlinear.js';
import { mish } from '../../src/mish/reference.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { inlineFrom, openFrom } from '../../src/onnx/data-in-memory.js';
import { exposeTensors } from '../../src/onnx/expose.js';
import { scan } from '../../src/onnx/scan.js';
import { decode, failure, nodesOf, ops, swapped } from '../support/graph.js';
import { floats, ints, model, node, value } from '../support/model.js';
import {
  behindIdentities,
  inRuntimeDomain,
  withDataOutside,
  withSecondReaders,
} from '../support/quantised.js';
import { f32, OPTIMISERS, run } from '../support/run.js';

const { DataType } = onnx.TensorProto;
const folder = fileURLToPath(new URL('int8/', import.meta.url));
const load = (name: string) => Uint8Array.from(readFileSync(`${folder}${name}.onnx`));
const NETS = ['u8', 'u8-symmetric', 'u8-with-relu', 'i8', 'i8-symmetric'];
const CASES = NETS.flatMap((name) => INT8_WAYS.map((int8) => [name, int8] as const));

/** Compares bytes; `toEqual` takes a second for 16 kB. */
const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const images = f32(
  Array.from({ length: 16 * 784 }, (_, at) => Math.abs(Math.sin(at * 0.37) * Math.cos(at * 0.011))),
  [16, 1, 28, 28],
);

/** Returns the root mean square of the difference, beside that of the reference. */
function relativeError(values: readonly number[], reference: readonly number[]): number {
  const squares = (list: readonly number[]) => list.reduce((sum, one) => sum + one ** 2, 0);
  return Math.sqrt(squares(values.map((one, at) => one - (reference[at] ?? 0))) / squares(reference));
}

const float = Uint8Array.from(readFileSync(new URL('../../models/untrained/cnn4.onnx', import.meta.url)));

describe('a net that onnxruntime.quantization wrote', () => {
  test.each(CASES)(
    '%s: every site is swapped as %s, and its error is near that of the quantised net',
    async (name, int8) => {
      const source = load(name);
      const { bytes, report } = await swapped(source, { int8, form: 'exp' });
      expect(report.sites).toHaveLength(3);
      expect(report.int8).toMatchObject({
        way: int8,
        sites: 3,
        biases: 3,
        onIntegers: int8 === 'exact' ? 0 : 3,
      });
      const { bytes: floatMish } = await swapped(float, { form: 'exp' });
      const results = async (file: Uint8Array) => Object.values(await run(file, { images }, 'all'))[0] ?? [];
      const [was, is] = [await results(float), await results(floatMish)];
      const quantised = relativeError(await results(source), was);
      expect(relativeError(is, was)).toBeGreaterThan(0.1); // another function
      // The approximation on floats has an error of its own.
      const other = int8 === 'exact' ? floatMish : (await swapped(float, { form: 'sigmoid' })).bytes;
      const approximate = relativeError(await results(other), is);
      expect(relativeError(await results(bytes), is)).toBeLessThan(2 * quantised + approximate + 0.02);
    },
  );

  test.each(CASES)(
    '%s as %s: undo gives its bytes, a second swap changes nothing, and a plan gives the same',
    async (name, int8) => {
      const source = load(name);
      const { bytes, report } = await swapped(source, { int8 });
      expect(isSame(await (await undo(bytes)).bytes(), source)).toBe(true);
      const again = await swapped(bytes, { int8 });
      expect(again.report.sites).toEqual([]);
      expect(isSame(again.bytes, bytes)).toBe(true);
      const plan = parsePlan(JSON.parse(JSON.stringify(planOf(report))));
      expect(plan.int8).toBe(int8);
      expect(isSame((await swapped(source, { plan })).bytes, bytes)).toBe(true);
      expect((await inspect(bytes)).history).toMatchObject([{ operation: 'swap', int8, sites: 3 }]);
    },
  );

  test.each(NETS)(
    '%s: the scale of every bias is that of its layer, so that ONNX Runtime computes it on integers',
    async (name) => {
      const { bytes } = await swapped(load(name), { int8: 'qlinear' });
      const { graph } = decode(bytes);
      const constants = new Map<string, onnx.ITensorProto>();
      for (const tensor of graph?.initializer ?? []) constants.set(tensor.name ?? '', tensor);
      for (const { opType, output, attribute } of nodesOf(graph))
        if (opType === 'Constant' && attribute?.[0]?.t) constants.set(output?.[0] ?? '', attribute[0].t);
      const producers = new Map(nodesOf(graph).map((one) => [one.output?.[0], one]));
      const scalesOf = (value: string | undefined) => {
        const { rawData, floatData } = constants.get(producers.get(value)?.input?.[1] ?? '') ?? {};
        return rawData?.length ? [...new Float32Array(rawData.slice().buffer)] : [...(floatData ?? [])];
      };
      const layers = nodesOf(graph).filter(({ opType }) => opType === 'Conv' || opType === 'Gemm');
      expect(layers).toHaveLength(4);
      for (const { input } of layers) {
        const [x = 0] = scalesOf(input?.[0]);
        expect(scalesOf(input?.[2])).toEqual(scalesOf(input?.[1]).map((weight) => Math.fround(x * weight)));
      }
    },
  );

  test.each(NETS)('%s stays as it is without int8', async (name) => {
    const source = load(name);
    const { bytes, report } = await swapped(source);
    expect(isSame(bytes, source)).toBe(true);
    for (const { reason } of report.skipped) expect(reason).toBe('quantized');
  });

  test.each(['operators', 'operators-with-relu'])(
    '%s: layers on integers stay, with a note',
    async (name) => {
      const source = load(name);
      const { bytes, report } = await swapped(source, { int8: 'exact' });
      expect(isSame(bytes, source)).toBe(true);
      expect(report.notes.join()).toMatch(/4 layers compute on integers/);
      for (const { why } of report.skipped) expect(why).toMatch(/cannot be made anew: .* reads/);
    },
  );
});

describe('the same net, written in another way, is swapped to the same function', () => {
  const first = async (bytes: Uint8Array) => Object.values(await run(bytes, { images }))[0];

  test.each(CASES)('%s as %s: QuantizeLinear in the domain of ONNX Runtime', async (name, int8) => {
    const source = inRuntimeDomain(load(name));
    const { bytes, report } = await swapped(source, { int8 });
    expect(report.int8).toEqual((await swapped(load(name), { int8 })).report.int8);
    expect(await first(bytes)).toEqual(await first((await swapped(load(name), { int8 })).bytes));
    expect(isSame(await (await undo(bytes)).bytes(), source)).toBe(true);
    const pairs = nodesOf(decode(bytes).graph).filter(({ opType }) =>
      /^(Q|Deq)uantizeLinear$/.test(opType ?? ''),
    );
    expect(new Set(pairs.map(({ domain }) => domain))).toEqual(new Set(['com.microsoft']));
    const { sites, skipped, notes, noteOptions } = (await swapped(source)).report;
    expect(sites).toEqual([]);
    const advised = [...skipped.map(({ option }) => option), ...notes.map((note) => noteOptions?.[note])];
    expect(JSON.stringify(advised)).toContain('"int8":"exact"');
  });

  test.each(CASES)('%s as %s: weights, scales and biases in a data file', async (name, int8) => {
    const { model: outside, data } = withDataOutside(load(name), 'weights.bin');
    const openData = openFrom([{ path: 'weights.bin', data }], name);
    const { bytes, report } = await swapped(outside, { int8, openData });
    const inside = await swapped(load(name), { int8 });
    expect(report.int8).toEqual(inside.report.int8);
    const whole = await (await inlineFrom(bytes, [{ path: 'weights.bin', data }])).bytes();
    expect(await first(whole)).toEqual(await first(inside.bytes));
    expect(isSame(await (await undo(bytes)).bytes(), outside)).toBe(true);
    expect(await failure(swap(outside, { int8 }))).toMatchObject({ code: 'external-data' });
  });

  test.each(NETS)('%s: several QuantizeLinear nodes read what a site computes', async (name) => {
    const source = withSecondReaders(load(name));
    const { bytes, report } = await swapped(source, { int8: 'exact' });
    const once = await swapped(load(name), { int8: 'exact' });
    expect(report.sites.map(({ output }) => output)).toEqual(once.report.sites.map(({ output }) => output));
    expect(await first(bytes)).toEqual(await first(once.bytes));
    expect(isSame(await (await undo(bytes)).bytes(), source)).toBe(true);
    const { report: onIntegers, bytes: others } = await swapped(source, { int8: 'qlinear' });
    expect(onIntegers.int8).toMatchObject({ sites: 3, onIntegers: 0 });
    expect(await first(others)).toEqual(await first(bytes));
  });

  test.each(CASES)('%s as %s: nodes read the shape of what a site gets and gives', async (name, int8) => {
    const message = decode(load(name));
    const once = await swapped(load(name), { int8 });
    for (const [at, { output }] of once.report.sites.entries()) {
      const site = nodesOf(message.graph).find((one) => one.output?.[0] === output);
      const read = [...(site?.input?.slice(0, 1) ?? []), ...(site?.opType === 'Relu' ? [output] : [])];
      for (const [side, x] of read.entries()) {
        message.graph?.node?.push(node('Shape', [x], [`shape_${at}_${side}`]));
        message.graph?.output?.push(value(`shape_${at}_${side}`, DataType.INT64, undefined));
      }
    }
    const { bytes, report } = await swapped(onnx.ModelProto.encode(message).finish(), { int8 });
    expect(report.int8).toMatchObject({ sites: 3 });
    expect(report.skipped).toEqual([]);
    if (int8 === 'exact') expect(await first(bytes)).toEqual(await first(once.bytes));
    else expect(relativeError((await first(bytes)) ?? [], (await first(once.bytes)) ?? [])).toBeLessThan(0.1);
  });

  test.each(['u8', 'i8'])(
    '%s: a reader of what a QuantizeLinear clips keeps its values, and is named',
    async (name) => {
      const message = decode(load(name));
      const site = (await swapped(load(name), { int8: 'exact' })).report.sites[0];
      const x = nodesOf(message.graph).find(({ output }) => output?.[0] === site?.output)?.input?.[0] ?? '';
      message.graph?.node?.push(node('Identity', [x], ['unclipped'], {}, { name: 'reader' }));
      message.graph?.output?.push(value('unclipped', 1, undefined));
      const source = onnx.ModelProto.encode(message).finish();
      const { bytes, report } = await swapped(source, { int8: 'exact' });
      expect(report.sites).toHaveLength(2);
      expect(report.skipped).toMatchObject([{ reason: 'quantized', output: site?.output }]);
      expect(report.skipped[0]?.why).toMatch(
        /^no Relu node, but .* clips .*, and reader reads the unclipped values$/,
      );
      const [was, is] = [await run(source, { images }), await run(bytes, { images })];
      expect(is.unclipped).toEqual(was.unclipped);
    },
  );
});

const zero = (name: string, elemType: number, at: number): onnx.ITensorProto => ({
  name,
  dims: [],
  dataType: elemType,
  int32Data: [at],
});

interface Chain {
  readonly elemType: number;
  readonly before: readonly [scale: number, zeroPoint: number];
  readonly after: readonly [scale: number, zeroPoint: number];
}

/** Returns a Relu between quantised tensors, and nodes after it; every input integer is met. */
function chain(
  { elemType, before, after }: Chain,
  more: readonly onnx.INodeProto[] = [],
  outputs = ['y'],
): Uint8Array {
  const quantised = (x: string, side: string) => [
    node('QuantizeLinear', [x, `s_${side}`, `z_${side}`], [`${x}_q`], {}, { name: `${x}_Q` }),
    node('DequantizeLinear', [`${x}_q`, `s_${side}`, `z_${side}`], [`${x}_d`], {}, { name: `${x}_DQ` }),
  ];
  return model({
    opset: 13,
    nodes: [
      ...quantised('x', 'b'),
      node('Relu', ['x_d'], ['r'], {}, { name: 'act' }),
      ...quantised('r', 'a'),
      node('Identity', ['r_d'], ['y']),
      ...more,
    ],
    inputs: [value('x', 1, ['N'])],
    outputs: outputs.map((name) => value(name, name.endsWith('_q') ? elemType : 1, ['N'])),
    initializers: [
      floats('s_b', [], [before[0]]),
      zero('z_b', elemType, before[1]),
      floats('s_a', [], [after[0]]),
      zero('z_a', elemType, after[1]),
    ],
  });
}

const LOWEST: Record<number, number> = { [DataType.UINT8]: 0, [DataType.INT8]: -128 };
const chains = fc.record({
  elemType: fc.constantFrom(DataType.UINT8, DataType.INT8),
  most: fc.double({ min: 0.5, max: 40, noNaN: true }),
  middle: fc.integer({ min: 0, max: 200 }),
  least: fc.integer({ min: 0, max: 128 }),
  beta: fc.constantFrom(1, 1, 2, 0.5),
  int8: fc.constantFrom(...INT8_WAYS),
});
const SIMPLE: Chain = { elemType: DataType.UINT8, before: [0.06, 100], after: [0.04, 0] };

describe('a Relu between quantised tensors', () => {
  test('Mish differs from the reference by half a step, or by the bound in the report', async () => {
    await fc.assert(
      fc.asyncProperty(chains, async ({ elemType, most, middle, least, beta, int8 }) => {
        const low = LOWEST[elemType] ?? 0;
        const before = [Math.fround(most / (255 - middle)), low + middle] as const;
        const after = [Math.fround(most / (255 - least)), low + least] as const;
        const source = chain({ elemType, before, after });
        const { bytes, report } = await swapped(source, { int8, beta, form: 'exp' });
        expect(report.int8).toMatchObject({ sites: 1, onIntegers: int8 === 'exact' ? 0 : 1 });
        const reach = 20 / beta;
        const x = Array.from({ length: 512 }, (_, at) => -reach + ((reach + most) * at) / 511);
        const { y = [] } = await run(bytes, { x: f32(x) }, OPTIMISERS.at(-1));
        const step = (most + 0.32 / beta) / 254;
        // The input is rounded as well, to steps that reach from -12 / β at most.
        const inputStep = Math.max(before[0], (most + 12 / beta) / 254);
        const bound = int8 === 'exact' ? 0.52 * step : (report.int8?.bound ?? 0) + 1e-3;
        const worst = Math.max(...y.map((one, at) => Math.abs(one - mish(x[at] ?? 0, beta))));
        expect(worst).toBeLessThanOrEqual(bound + 0.56 * inputStep + step / 2);
        expect(Math.min(...y)).toBeLessThan(-0.2 / beta); // nothing clips the negative side
      }),
      { seed: 19, numRuns: 25 },
    );
  });

  test('the best slope and shift are closer to Mish than x · sigmoid(x) by a factor of two', () => {
    const input = { scale: 0.06, zeroPoint: 100, elemType: DataType.UINT8, type: 'f32' } as const;
    const output = { scale: 0.04, zeroPoint: 8, elemType: DataType.UINT8, type: 'f32' } as const;
    const { bound } = fitQlinear(input, output, 1);
    const swish = Math.max(
      ...Array.from({ length: 256 }, (_, at) => (at - 100) * 0.06).map((x) =>
        Math.abs(mish(x) - x / (1 + Math.exp(-x))),
      ),
    );
    expect(bound).toBeGreaterThan(0.02);
    expect(2 * bound).toBeLessThan(swish);
  });

  test('another node that shares the scale keeps it', async () => {
    const other = node('QuantizeLinear', ['x', 's_a', 'z_a'], ['z_q'], {}, { name: 'other' });
    const { bytes } = await swapped(chain(SIMPLE, [other], ['y', 'z_q']), { int8: 'exact' });
    const found = nodesOf(decode(bytes).graph).find(({ name }) => name === 'other');
    expect(found?.input).toEqual(['x', 's_a', 'z_a']);
  });

  test('a sum with another value gets a wider range, and an average the range of Mish', async () => {
    const more = [
      node('Add', ['r_d', 'x_d'], ['sum']),
      node('QuantizeLinear', ['sum', 's_b', 'z_b'], ['sum_q'], {}, { name: 'sum_Q' }),
      node('DequantizeLinear', ['sum_q', 's_b', 'z_b'], ['sum_d']),
      node('Relu', ['sum_d'], ['again'], {}, { name: 'act2' }),
    ];
    const { bytes, report } = await swapped(chain(SIMPLE, more, ['y', 'again']), { int8: 'exact' });
    expect(report.sites.map(({ node }) => node)).toEqual(['act', 'act2']);
    expect(report.int8).toMatchObject({ sites: 1, scales: 2 });
    const x = [-6, -3, -1, 0.5, 4];
    const { again = [] } = await run(bytes, { x: f32(x) });
    for (const [at, one] of again.entries())
      expect(one).toBeCloseTo(mish(mish(x[at] ?? 0) + (x[at] ?? 0)), 0);
  });

  test('values below the range of the input are let in, since Mish of them is not 0', async () => {
    const { bytes } = await swapped(chain({ ...SIMPLE, before: [0.04, 0] }), { int8: 'exact', form: 'exp' });
    const { y = [] } = await run(bytes, { x: f32([-1.2, -2]) });
    expect(y[0]).toBeCloseTo(mish(-1.2), 1);
    expect(y[1]).toBeCloseTo(mish(-2), 1);
  });
});

/** Operators that join the Mish of a value with another value, as functions. */
const JOINS: Record<string, (m: number, o: number) => number> = {
  Add: (m, o) => m + o,
  Sub: (m, o) => m - o,
  Mul: (m, o) => m * o,
  Max: (m, o) => Math.max(m, o),
  Min: (m, o) => Math.min(m, o),
  Mean: (m, o) => (m + o) / 2,
};
const joins = fc.record({
  opType: fc.constantFrom(...Object.keys(JOINS)),
  isSwapped: fc.boolean(),
  elemType: fc.constantFrom(DataType.UINT8, DataType.INT8),
  most: fc.double({ min: 1, max: 12, noNaN: true }),
  low: fc.constantFrom(0, 0, -1, -3, -8),
  high: fc.constantFrom(0.5, 1, 6),
  int8: fc.constantFrom(...INT8_WAYS),
});

describe('a Relu whose result meets another value before the next scale', () => {
  test('nothing of Mish is cut off, and a quantiser that cuts off negative values still does', async () => {
    const met = new Set<string>();
    await fc.assert(
      fc.asyncProperty(joins, async ({ opType, isSwapped, elemType, most, low, high, int8 }) => {
        const bottom = LOWEST[elemType] ?? 0;
        const join = (m: number, o: number) =>
          (isSwapped ? JOINS[opType]?.(o, m) : JOINS[opType]?.(m, o)) ?? Number.NaN;
        const steps = (from: number, to: number) =>
          [Math.fround((to - from) / 255), bottom + Math.round((-255 * from) / (to - from))] as const;
        const corners = [0, most].flatMap((m) => [low, high].map((o) => join(m, o)));
        const [least, top] = [Math.min(0, ...corners), Math.max(0.1, ...corners)];
        const scales = { o: steps(low, high), c: steps(least, top) };
        const pair = (x: string, side: string) => [
          node('QuantizeLinear', [x, `s_${side}`, `z_${side}`], [`${x}_q`], {}, { name: `${x}_Q` }),
          node('DequantizeLinear', [`${x}_q`, `s_${side}`, `z_${side}`], [`${x}_d`]),
        ];
        const before = steps(-6, most);
        const more = [
          ...pair('o', 'o'),
          node(opType, isSwapped ? ['o_d', 'r_d'] : ['r_d', 'o_d'], ['c'], {}, { name: 'join' }),
          ...pair('c', 'c'),
        ];
        const message = decode(chain({ elemType, before, after: steps(0, most) }, more, ['y', 'c_d']));
        message.graph?.input?.push(value('o', 1, ['N']));
        for (const [side, [scale, at]] of Object.entries(scales))
          message.graph?.initializer?.push(floats(`s_${side}`, [], [scale]), zero(`z_${side}`, elemType, at));
        const source = onnx.ModelProto.encode(message).finish();
        const { bytes, report } = await swapped(source, { int8, form: 'exp', include: ['act'] });
        expect(report.sites.map(({ node: name }) => name)).toEqual(['act']);
        const x = Array.from({ length: 256 }, (_, at) => -6 + ((6 + most) * at) / 255);
        const o = x.map((_, at) => low + ((high - low) * ((at * 37) % 256)) / 255);
        const { c_d: was = [] } = await run(source, { x: f32(x), o: f32(o) }, 'disabled');
        const { c_d: is = [] } = await run(bytes, { x: f32(x), o: f32(o) }, 'disabled');
        const size = opType === 'Mul' ? Math.max(high, -low) : 1;
        const depth = 0.31 * size;
        const step = (top - least + 2 * depth) / 254;
        const input = (most + 12) / 254 + (int8 === 'exact' ? 0 : 0.08);
        const error =
          step +
          size * (1.2 * input + (most + 0.31) / 254) +
          (opType === 'Mul' ? most : 1) * ((high - low) / 254);
        const clips =
          least === 0 &&
          was.every((one) => one >= 0) &&
          Math.min(...x.map((_, at) => join(0, o[at] ?? 0))) < 0;
        for (const [at, one] of is.entries()) {
          const wanted = join(mish(x[at] ?? 0), o[at] ?? 0);
          met.add(`${opType} ${wanted < least - error ? 'below' : wanted > top + error ? 'above' : 'in'}`);
          expect(Math.abs(one - (clips ? Math.max(0, wanted) : wanted))).toBeLessThan(error);
        }
      }),
      { seed: 7, numRuns: 60 },
    );
    expect(met).toContain('Mul below');
  });

  test.each(INT8_WAYS)(
    'as %s: a sum whose negative values a quantiser cuts off is a ReLU of its own, and stays one',
    async (int8) => {
      const more = [
        node('Add', ['r_d', 'x_d'], ['sum']),
        node('QuantizeLinear', ['sum', 's_a', 'z_a'], ['sum_q'], {}, { name: 'sum_Q' }),
        node('DequantizeLinear', ['sum_q', 's_a', 'z_a'], ['clipped']),
      ];
      const source = chain(SIMPLE, more, ['y', 'clipped']);
      const { bytes, report } = await swapped(source, { int8, exclude: ['sum_Q'] });
      expect(report.sites.map(({ node: name }) => name)).toEqual(['act']);
      const { clipped: values = [] } = await run(bytes, { x: f32([-6, -3, -1, -0.5, 0.5, 2]) });
      expect(values.slice(0, 4)).toEqual([0, 0, 0, 0]);
      expect(values[5]).toBeCloseTo(mish(2) + 2, 0);
    },
  );
});

/** A layer whose result is quantised to a range from 0 on, as a quantiser writes it that removes the Relu between. */
const clipped = (layer: onnx.INodeProto) =>
  model({
    opset: 17,
    nodes: [
      node('QuantizeLinear', ['x', 's', 'z'], ['x_q']),
      node('DequantizeLinear', ['x_q', 's', 'z'], ['x_d']),
      layer,
      node('QuantizeLinear', ['h', 's_a', 'z_a'], ['h_q']),
      node('DequantizeLinear', ['h_q', 's_a', 'z_a'], ['h_d']),
      node('Tanh', ['h_d'], ['y']),
    ],
    inputs: [value('x', 1, ['N', 1, 4])],
    outputs: [value('y', 1, ['N', 1, 4])],
    initializers: [
      ...[floats('s', [], [0.02]), zero('z', DataType.UINT8, 128), zero('z_a', DataType.UINT8, 0)],
      ...[
        floats('s_a', [], [0.01]),
        floats('g', [4], [1, 1, 1, 1]),
        floats('one', [1], [1]),
        floats('b', [1], [0]),
      ],
    ],
  });

test.each([
  ['LayerNormalization', node('LayerNormalization', ['x_d', 'g'], ['h'])],
  ['InstanceNormalization', node('InstanceNormalization', ['x_d', 'one', 'b'], ['h'])],
  ['Sub', node('Sub', ['x_d', 'g'], ['h'])],
])('a QuantizeLinear that clips what %s gives is a ReLU', async (_, layer) => {
  const { bytes, report } = await swapped(clipped(layer), { int8: 'exact', form: 'exp' });
  expect(report.sites).toMatchObject([
    { kind: 'relu', output: 'h_q', doubt: expect.stringMatching(/^no Relu node/) },
  ]);
  const x = f32([0.3, -1.2, 1.9, 0.4, 1.1, 0.2, -0.5, -0.1], [2, 1, 4]);
  const { h = [] } = await run(await withOutput(bytes, 'h'), { x }, 'all');
  const { y = [] } = await run(bytes, { x }, 'all');
  for (const [at, one] of y.entries())
    expect(Math.abs(one - Math.tanh(mish(h[at] ?? 0)))).toBeLessThan(0.011);
});

/** Makes a value an output. */
async function withOutput(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  return (await exposeTensors(await scan(bytes), [name])).model.bytes();
}

describe('what cannot be requantised is skipped with the reason', () => {
  const refusals: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['an output of integers', chain(SIMPLE, [], ['y', 'r_q']), /its integers are an output/],
    [
      'a reader of integers',
      chain(SIMPLE, [node('Cast', ['r_q'], ['c'], { to: 1 })], ['y', 'c']),
      /Cast → c reads its integers/,
    ],
    [
      'another scale',
      chain(SIMPLE, [node('DequantizeLinear', ['r_q', 's_b', 'z_a'], ['c'])], ['y', 'c']),
      /has another scale/,
    ],
    ['a clamp', chain(SIMPLE, [node('Min', ['r_d', 's_a'], ['c'])], ['y', 'c']), /Min → c reads it/],
    ['a product', chain(SIMPLE, [node('Mul', ['r_d', 'x'], ['c'])], ['y', 'c']), /Mul → c reads it/],
    ['a quotient', chain(SIMPLE, [node('Div', ['r_d', 'x_d'], ['c'])], ['y', 'c']), /Div → c reads it/],
    [
      'a share of unknown sign',
      chain(SIMPLE, [node('Max', ['r_d', 'x_d'], ['m']), node('Mul', ['m', 'r_d'], ['c'])], ['y', 'c']),
      /Mul → c reads it/,
    ],
    [
      'a quantiser that perhaps clips',
      chain(
        SIMPLE,
        [
          node('Concat', ['r_d', 'x'], ['m'], { axis: 0 }),
          node('QuantizeLinear', ['m', 's_a', 'z_a'], ['m_q']),
          node('DequantizeLinear', ['m_q', 's_a', 'z_a'], ['c']),
        ],
        ['y', 'c'],
      ),
      /QuantizeLinear → m_q may clip negative values/,
    ],
    [
      'a shared input without negative values',
      chain({ ...SIMPLE, before: [0.04, 0] }, [node('Identity', ['x_d'], ['c'])], ['y', 'c']),
      /holds no number below/,
    ],
  ];
  test.each(refusals)('%s', async (_, source, why) => {
    for (const int8 of INT8_WAYS) {
      const { bytes, report } = await swapped(source, { int8 });
      expect(report.skipped).toMatchObject([{ node: 'act', reason: 'quantized' }]);
      expect(report.skipped[0]?.why).toMatch(why);
      expect(isSame(bytes, source)).toBe(true);
    }
  });

  test.each(refusals.filter(([name]) => !name.startsWith('a shared input')))(
    '%s: without int8 the option is not advised',
    async (_, source) => {
      const { skipped } = (await swapped(source)).report;
      expect(skipped.map(({ reason, option }) => [reason, option])).toEqual([['quantized', undefined]]);
    },
  );

  const wide = [floats('s_a', [4], [0.01, 0.02, 0.01, 0.02]), ints('z_a', [4], [0, 0, 0, 0])];
  test.each<[string, readonly onnx.ITensorProto[], RegExp]>([
    [
      'float8',
      [{ name: 'z_a', dims: [], dataType: DataType.FLOAT8E4M3FN, int32Data: [0] }],
      /^r_Q has float8e4m3fn, and int8 takes integers of 8 and 16 bits$/,
    ],
    [
      '4 bits',
      [{ name: 'z_a', dims: [], dataType: DataType.UINT4, int32Data: [0] }],
      /^r_Q has uint4, and int8 takes/,
    ],
    [
      'scales by channel',
      wide.map((tensor, at) => ({
        ...tensor,
        ...(at === 1 ? { dataType: DataType.UINT8, int32Data: [0, 0, 0, 0], int64Data: [] } : {}),
      })),
      /^r_Q has a scale for each channel or block$/,
    ],
    ['a scale that is computed', [], /^r_Q has no constant scale for the whole tensor$/],
  ])('%s: the reason names it, and a note says that no site is left', async (_, tensors, why) => {
    const message = decode(chain(SIMPLE));
    const gone = new Set(tensors.length === 0 ? ['s_a'] : tensors.map(({ name }) => name));
    if (message.graph) {
      message.graph.initializer = (message.graph.initializer ?? []).filter(({ name }) => !gone.has(name));
      message.graph.initializer.push(...tensors);
      if (tensors.length === 0)
        message.graph.node?.unshift(node('ReduceMax', ['x'], ['s_a'], { keepdims: 0 }));
    }
    const { skipped, notes } = (await swapped(onnx.ModelProto.encode(message).finish(), { int8: 'exact' }))
      .report;
    expect(skipped.map((skip) => skip.why.replace('its scale cannot be made anew: ', ''))).toEqual([
      expect.stringMatching(why),
    ]);
    expect(
      notes.map((note) => note.replace('int8: no site is between tensors that it reads: ', '')),
    ).toContainEqual(expect.stringMatching(why));
  });

  test('layers on integers after a Relu: the option is not advised', async () => {
    const { skipped } = (await swapped(load('operators-with-relu'))).report;
    expect(skipped.map(({ reason, option }) => [reason, option])).toEqual(
      Array(3).fill(['quantized', undefined]),
    );
  });

  test('a site can be excluded', async () => {
    const source = load('u8');
    const names = (await swapped(source, { int8: 'exact' })).report.sites.map(({ node }) => node);
    const { report } = await swapped(source, { int8: 'exact', exclude: names.slice(1) });
    expect(report.sites.map(({ node }) => node)).toEqual(names.slice(0, 1));
    expect(report.skipped.map(({ reason }) => reason)).toEqual(['excluded', 'excluded']);
  });

  test('a skip for a QuantizeLinear names the option that swaps it, if Mish is written', async () => {
    const option = { swap: { int8: 'exact' } };
    expect((await swapped(chain(SIMPLE))).report.skipped).toMatchObject([{ reason: 'quantized', option }]);
    const others = [
      await swapped(chain(SIMPLE), { to: 'swish' }),
      await swapped(chain(SIMPLE, [node('Cast', ['r_q'], ['c'], { to: 1 })], ['y', 'c']), { int8: 'exact' }),
    ];
    for (const { report } of others)
      expect(report.skipped.map((skip) => [skip.reason, skip.option])).toEqual([['quantized', undefined]]);
  });

  test('an unknown way and another activation are refused', async () => {
    expect(await failure(swap(load('u8'), { int8: 'fast' as never }))).toMatchObject({ code: 'bad-usage' });
    expect(await failure(swap(load('u8'), { int8: 'exact', to: 'swish' }))).toMatchObject({
      code: 'bad-usage',
    });
    expect(() => parsePlan({ schema: 'onnx-mish/plan@1', form: 'exp', int8: 1, beta: 1, sites: [] })).toThrow(
      /int8 has to be/,
    );
  });
});

test('the operators on integers need their domain, which is imported once', async () => {
  const { bytes } = await swapped(chain(SIMPLE), { int8: 'qlinear' });
  expect(ops(bytes)).toContain('QLinearSigmoid');
  const domains = decode(bytes).opsetImport.map(({ domain }) => domain);
  expect(domains.filter((domain) => domain === 'com.microsoft')).toHaveLength(1);
});

test.each(CASES)('%s as %s: scales behind Identity nodes are constants, too', async (name, int8) => {
  const source = load(name);
  const [plain, copied] = [
    await swapped(source, { int8 }),
    await swapped(behindIdentities(source), { int8 }),
  ];
  expect(copied.report.int8).toEqual(plain.report.int8);
  expect(copied.report.sites).toEqual(plain.report.sites);
  const results = async (bytes: Uint8Array) => Object.values(await run(bytes, { images }, 'all'));
  expect(await results(copied.bytes)).toEqual(await results(plain.bytes));
});

test('a plan with int8 says of quantised sites that they are not in it', async () => {
  const source = load('u8-with-relu');
  const { report } = await swapped(source, { int8: 'exact' });
  const [first, ...others] = report.sites;
  const plan = { ...planOf(report), sites: first ? [first] : [] };
  const { skipped } = (await swapped(source, { plan })).report;
  expect(skipped).toHaveLength(others.length);
  for (const { reason, why, option } of skipped)
    expect({ reason, why, option }).toEqual({ reason: 'excluded', why: 'not in the plan' });
});

describe('Mish on integers', () => {
  test.each(NETS.flatMap((name) => [0.5, 1, 2].map((beta) => [name, beta] as const)))(
    '%s: inspect finds the Mish of sharpness %d with the bound in the report, and retarget leaves it with the reason',
    async (name, beta) => {
      const { bytes, report } = await swapped(load(name), { int8: 'qlinear', beta });
      const { mish: found } = await inspect(bytes);
      expect(found.map((one) => [one.form, one.beta])).toEqual(Array(3).fill(['other', beta]));
      expect(Math.max(...found.map(({ bound = 0 }) => bound))).toBeCloseTo(report.int8?.bound ?? 0, 9);
      expect(report.notes.join()).not.toMatch(/Softplus/);
      const again = await retarget(bytes, { form: 'exp' });
      expect(again.report).toMatchObject({ sites: [], skipped: Array(3).fill({ reason: 'quantized' }) });
      expect(isSame(await again.output.bytes(), bytes)).toBe(true);
    },
  );

  test('Swish on integers is not Mish', async () => {
    const { bytes } = await swapped(chain(SIMPLE), { int8: 'qlinear' });
    const swish = decode(bytes);
    for (const one of nodesOf(swish.graph))
      if (one.opType === 'QLinearSigmoid') one.input?.splice(1, 2, 's_b', 'z_b');
    expect((await inspect(bytes)).mish).toHaveLength(1);
    expect((await inspect(onnx.ModelProto.encode(swish).finish())).mish).toEqual([]);
  });

  test('a note counts the sites that stay between floats', async () => {
    const shared = node('Identity', ['r'], ['c']);
    const { report } = await swapped(chain(SIMPLE, [shared], ['y', 'c']), { int8: 'qlinear' });
    expect(report.int8).toMatchObject({ sites: 1, onIntegers: 0 });
    expect(report.notes.join()).toMatch(/a site is between floats/);
  });

  test('a model of layers on integers has a note without int8, too', async () => {
    const { report } = await swapped(load('operators'));
    expect(report.sites).toEqual([]);
    expect(report.notes).toEqual([expect.stringMatching(/^4 layers compute on integers/)]);
  });
});

test.each(NETS)('%s: without int8 a note counts the ReLUs that have no Relu node', async (name) => {
  const source = load(name);
  const { report } = await swapped(source, { int8: 'exact' });
  const implied = report.sites.filter(({ doubt }) => doubt?.startsWith('no Relu node')).length;
  const start = implied === 1 ? 'a QuantizeLinear clips' : `${implied} QuantizeLinear clip`;
  const { notes, noteOptions } = (await swapped(source)).report;
  const [note] = notes.filter((text) => text.includes('in place of a Relu node'));
  expect(note?.startsWith(start) ?? false).toBe(implied > 0);
  if (note !== undefined) expect(noteOptions?.[note]).toEqual({ int8: 'exact' });
  expect((await inspect(source)).impliedRelus ?? 0).toBe(implied);
  expect(report.notes.join()).not.toContain('in place of a Relu node');
});
