import { describe, expect, test } from 'vitest';
import { FORM_FOR, TARGETS } from '../../src/mish/forms.js';
import { mish } from '../../src/mish/reference.js';
import { type SwapOptions, swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { allNodes, decode, ops, reluModel, swapped } from '../support/graph.js';
import { expectClose, expectMish, POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { withoutDigest } from '../support/record.js';
import { f32, load, OPTIMISERS, run } from '../support/run.js';

const F32 = 1;
const vector = (name: string) => value(name, F32, ['N']);
const act = (from: string, to: string, name = '') =>
  node('Relu', [from], [to], {}, name === '' ? {} : { name });

describe('names', () => {
  test('of new nodes say where they came from', async () => {
    const { bytes } = await swapped(reluModel());
    expect(decode(bytes).graph?.node?.map(({ name, input, output }) => [name, input, output])).toEqual([
      ['act/mish/softplus', ['x'], ['act/mish/softplus']],
      ['act/mish/tanh', ['act/mish/softplus'], ['act/mish/tanh']],
      ['act/mish', ['x', 'act/mish/tanh'], ['y']],
    ]);
  });

  test('of an unnamed node come from its output', async () => {
    const { bytes } = await swapped(model({ nodes: [act('x', 'y')] }));
    expect(decode(bytes).graph?.node?.map(({ name }) => name)).toEqual([
      'y/mish/softplus',
      'y/mish/tanh',
      'y/mish',
    ]);
  });

  test.each(OPTIMISERS)('that the model has already are not given again; optimiser %s', async (optimiser) => {
    // A value, a node, an input, an initializer and a value_info, each with a name that we would choose.
    const source = model({
      nodes: [
        node('Neg', ['x'], ['act/mish/clip'], {}, { name: 'act/mish/exp' }),
        act('act/mish/clip', 'h', 'act'),
        act('h', 'g', 'act'),
        node('Add', ['g', 'mish/f32/two'], ['k']),
        node('Add', ['k', 'mish/f32/cap'], ['y']),
      ],
      inputs: [vector('x'), value('mish/f32/cap', F32, [])],
      initializers: [floats('mish/f32/two', [], [0.5]), floats('mish/f32/floor', [], [0])], // nobody reads the second
      values: [vector('act/mish/ratio')],
      outputs: [vector('y')],
    });
    const { bytes } = await swapped(source, { form: 'exp' });
    const nodes = allNodes(decode(bytes));
    const names = nodes.map(({ name }) => name).filter((name) => name !== '');
    expect(new Set(names).size).toBe(names.length);
    const results = nodes.flatMap(({ output }) => output ?? []);
    expect(new Set(results).size).toBe(results.length);
    const taken = ['mish/f32/cap', 'mish/f32/two', 'mish/f32/floor', 'act/mish/ratio'];
    for (const name of taken) expect(results).not.toContain(name);
    const { y } = await run(bytes, { x: f32(POINTS), 'mish/f32/cap': f32([0.25], []) }, optimiser);
    expectClose(
      y,
      POINTS.map((x) => mish(mish(-x)) + 0.75),
    );
  });

  test('of values in other scopes are not given either', async () => {
    const inner = {
      name: 'b',
      node: [node('Neg', ['x'], ['act/mish/tanh'])],
      output: [vector('act/mish/tanh')],
    };
    const source = model({
      nodes: [
        act('x', 'h', 'act'),
        node('If', ['cond'], ['y'], { then_branch: { graph: inner }, else_branch: { graph: inner } }),
      ],
      inputs: [vector('x'), value('cond', 9, [])],
      outputs: [vector('y'), vector('h')],
    });
    const { bytes } = await swapped(source);
    expect(decode(bytes).graph?.node?.map(({ name }) => name)).toContain('act/mish/tanh_2');
    const { h } = await run(bytes, { x: f32(POINTS), cond: { type: 'bool', dims: [], data: [1] } });
    expectMish(h, POINTS);
  });
});

describe('the value a site makes', () => {
  test.each(OPTIMISERS)(
    'used twice, and an output as well: every reader gets Mish; optimiser %s',
    async (optimiser) => {
      const source = model({
        nodes: [act('x', 'r'), node('Neg', ['r'], ['n']), node('Add', ['r', 'n'], ['zero']), act('r', 's')],
        inputs: [vector('x')],
        outputs: [vector('r'), vector('n'), vector('zero'), vector('s')],
      });
      const { bytes } = await swapped(source, { form: 'exp' });
      expect(decode(bytes).graph?.output).toEqual(decode(source).graph?.output);
      const { r, n, zero, s } = await run(bytes, { x: f32(POINTS) }, optimiser);
      expectMish(r, POINTS);
      expect(n).toEqual(r?.map((at) => -at));
      expect(new Set(zero)).toEqual(new Set([0]));
      expectClose(
        s,
        POINTS.map((x) => mish(mish(x))),
      );
    },
  );

  test('nobody reads: it is swapped, and the model runs', async () => {
    const source = model({ nodes: [act('x', 'dead'), node('Neg', ['x'], ['y'])], inputs: [vector('x')] });
    const { bytes, report } = await swapped(source);
    expect(report.sites).toHaveLength(1);
    expect((await run(bytes, { x: f32([1, -2], [2]) })).y).toEqual([-1, 2]);
  });

  test('has the type and shape that value_info says', async () => {
    const source = model({
      nodes: [act('x', 'r'), node('Neg', ['r'], ['y'])],
      values: [value('r', F32, ['N', 4])],
    });
    const { bytes } = await swapped(source, { form: 'exp' });
    expect(decode(bytes).graph?.valueInfo).toEqual(decode(source).graph?.valueInfo);
    const exposed = model({
      nodes: decode(bytes).graph?.node ?? [],
      outputs: [value('r', F32, ['N', 4])],
    });
    expectMish((await run(exposed, { x: f32(POINTS, [7, 4]) })).r, POINTS);
  });

  test.each(OPTIMISERS)('has any rank, 0 too; optimiser %s', async (optimiser) => {
    for (const dims of [[], [1], [2, 2, 7], [1, 1, 28, 1, 1]]) {
      const source = reluModel({ inputs: [value('x', F32, dims)], outputs: [value('y', F32, dims)] });
      const data = POINTS.slice(
        0,
        dims.reduce((size, dim) => size * dim, 1),
      );
      for (const form of ['softplus', 'exp', 'native'] as const) {
        const { bytes } = await swapped(source, { form, beta: 2 });
        expectMish((await run(bytes, { x: f32(data, dims) }, optimiser)).y, data, 2);
      }
    }
  });
});

test('a chain of sites', async () => {
  const nodes = Array.from({ length: 50 }, (_, at) =>
    act(at === 0 ? 'x' : `r${at - 1}`, at === 49 ? 'y' : `r${at}`),
  );
  const { bytes, report } = await swapped(model({ nodes, inputs: [vector('x')] }), { form: 'exp' });
  expect(report.sites).toHaveLength(50);
  expect(ops(bytes).filter((op) => op === 'Constant')).toHaveLength(3);
  // Small inputs only: there each Mish shrinks what the rounding of the one before has left.
  const small = [-100, -30, -0.5, -0.1, 0, 0.01, 0.1];
  const want = small.map((x) => nodes.reduce((at) => mish(at), x));
  expectClose((await run(bytes, { x: f32(small) })).y, want);
});

describe('twice', () => {
  const nodes = [act('x', 'r'), node('LeakyRelu', ['r'], ['y'])];

  test.each(['softplus', 'exp', 'native'] as const)('changes nothing more: %s', async (form) => {
    const once = await swapped(model({ nodes }), { form });
    for (const again of ['softplus', 'exp', 'native'] as const) {
      const twice = await swapped(once.bytes, { form: again });
      expect(twice.report.sites).toEqual([]);
      expect(twice.bytes).toEqual(once.bytes);
    }
  });

  test('no sites: the very bytes', async () => {
    const source = model({ nodes: [node('Neg', ['x'], ['y'])] });
    const { bytes, report } = await swapped(source);
    expect(bytes).toEqual(source);
    expect(report).toMatchObject({ sites: [], skipped: [], notes: [], bytesOut: source.length });
  });
});

describe('the same input gives the same bytes', () => {
  test.each<SwapOptions>([{}, { form: 'exp' }, { form: 'native', beta: 4 }, { undo: false }])(
    '%j',
    async (options) => {
      const source = reluModel();
      const copy = Uint8Array.from(source);
      const first = await swapped(source, options);
      expect((await swapped(copy, options)).bytes).toEqual(first.bytes);
      expect(source).toEqual(copy); // and the input is not written to
      const { output } = await swap(new Blob([copy]), options);
      // Of a Blob no weights are read, so the record has no digest of them.
      const rest = (bytes: Uint8Array) => (options.undo === false ? bytes : withoutDigest(bytes));
      expect(rest(await output.bytes())).toEqual(rest(first.bytes));
      expect(rest(new Uint8Array(await (await output.blob()).arrayBuffer()))).toEqual(rest(first.bytes));
      expect(output.size).toBe(first.bytes.length);
    },
  );
});

describe('targets', () => {
  test.each(TARGETS)('%s has the form in the table', async (target) => {
    const { report } = await swapped(reluModel(), { target });
    expect(report.form).toBe(FORM_FOR[target]);
  });

  test('the table', () => {
    expect(FORM_FOR).toEqual({ cpu: 'exp', wasm: 'exp', webgl: 'exp', webgpu: 'softplus', cuda: 'softplus' });
  });

  test('a form that is named outranks the target’s', async () => {
    expect((await swapped(reluModel(), { target: 'webgl', form: 'softplus' })).report.form).toBe('softplus');
  });

  test('unknown names are refused with the known ones', async () => {
    const odd = (options: object) => swapped(reluModel(), options);
    await expect(odd({ target: 'npu' })).rejects.toMatchObject({
      code: 'bad-usage',
      fix: 'Choose from cpu, wasm, webgl, webgpu, cuda',
    });
    for (const form of ['gelu', 'constructor', '__proto__']) {
      await expect(odd({ form })).rejects.toMatchObject({
        code: 'bad-usage',
        fix: 'Choose from softplus, exp, native, sigmoid, tanh, hard',
      });
    }
  });

  test('a note says which target helps', async () => {
    const { notes } = (await swapped(reluModel())).report;
    expect(notes).toEqual([
      'webgl: ONNX Runtime Web has no Softplus on WebGL; the exp form does better',
      'cpu and wasm: ONNX Runtime’s Softplus is slow; the exp form does better',
    ]);
  });
});

describe('names that are not UTF-8 cannot be written again', () => {
  const broken = (source: Uint8Array) => {
    const at = source.findIndex((byte, index) => byte === 0x71 && source[index + 1] === 0x71);
    expect(at).toBeGreaterThan(0);
    return source.map((byte, index) => (byte === 0x71 && source[index + 1] === 0x71 ? 0xff : byte));
  };

  test('so such a site stays', async () => {
    const source = broken(model({ nodes: [act('x', 'qq'), node('Neg', ['x'], ['y'])] }));
    const { bytes, report } = await swapped(source);
    expect(report.skipped).toMatchObject([{ reason: 'malformed' }]);
    expect(bytes).toEqual(source);
  });
});

test('a graph that the file gives in two parts, which protobuf merges', async () => {
  const whole = decode(model({ nodes: [act('x', 'r'), act('r', 'y')], inputs: [vector('x')] }));
  const first = model({ nodes: [act('x', 'r')], inputs: [vector('x')], outputs: [] });
  const rest = (await import('../../proto/onnx.js')).onnx.ModelProto.encode({
    graph: { node: [act('r', 'y')], output: whole.graph?.output ?? [] },
  }).finish();
  const source = new Uint8Array([...first, ...rest]);
  const { bytes, report } = await swapped(source, { form: 'exp' });
  expect(report.sites).toHaveLength(2);
  expect((await scan(bytes)).graph.nodes).toHaveLength(3 + 14);
  await load(bytes);
  expectClose(
    (await run(bytes, { x: f32(POINTS) })).y,
    POINTS.map((x) => mish(mish(x))),
  );
});

describe('options that make no sense are refused, with what does', () => {
  test.each<[SwapOptions, string, RegExp]>([
    [{ beta: 0 }, 'the sharpness β cannot be 0', /finite number above 0/],
    [{ beta: Number.POSITIVE_INFINITY }, 'the sharpness β cannot be Infinity', /above 0/],
    [{ target: 'npu' as 'cpu' }, "'npu' is not a target", /^Choose from cpu/],
    [{ form: 'gelu' as 'exp' }, "'gelu' is not a form", /^Choose from softplus/],
    [{ leaky: 'elu' as 'mish' }, "LeakyRelu cannot become 'elu'", /^Choose mish or mixture$/],
  ])('%j', async (options, what, fix) => {
    await expect(swapped(reluModel(), options)).rejects.toMatchObject({
      code: 'bad-usage',
      what,
      fix: expect.stringMatching(fix),
    });
  });
});

describe('the record of a swap', () => {
  const record = async (nodes: ReturnType<typeof node>[], options: SwapOptions) => {
    const { bytes } = await swapped(model({ nodes }), options);
    return JSON.parse(decode(bytes).metadataProps.find(({ key }) => key === 'onnx-mish')?.value ?? '')
      .operations;
  };
  const leaky = (from: string, to: string, alpha: number) =>
    node('LeakyRelu', [from], [to], { alpha: { f: alpha } });

  test('says no more than there is to say', async () => {
    expect(await record([act('x', 'y')], {})).toEqual([
      { operation: 'swap', form: 'softplus', beta: 1, sites: 1, version: expect.any(String) },
    ]);
  });

  test('counts mixtures, and only them', async () => {
    const nodes = [leaky('x', 'a', 0.1), act('a', 'b'), leaky('b', 'c', 0), leaky('c', 'y', -8)];
    expect(await record(nodes, { leaky: 'mixture' })).toMatchObject([{ sites: 4, mixtures: 2 }]);
    expect((await record(nodes, {}))[0]).not.toHaveProperty('mixtures');
  });

  test('a slope that a mixture cannot have leaves its site', async () => {
    const { report } = await swapped(model({ nodes: [leaky('x', 'a', 8.5), leaky('a', 'y', 8)] }), {
      leaky: 'mixture',
    });
    expect(report.sites).toMatchObject([{ output: 'y', leak: 8 }]);
    expect(report.skipped).toMatchObject([
      { output: 'a', reason: 'slope', why: 'a mixture needs a slope of at most 8, and this slope is 8.5' },
    ]);
  });
});

test('names of a swap do not double where a node is called mish already', async () => {
  const named = (name: string) =>
    swapped(model({ nodes: [act('x', 'y', name)] })).then(({ bytes }) =>
      decode(bytes).graph?.node?.map((one) => one.name),
    );
  expect(await named('a/mish')).toEqual(['a/mish/softplus', 'a/mish/tanh', 'a/mish']);
  expect(await named('a/mish/b')).toEqual(['a/mish/b/mish/softplus', 'a/mish/b/mish/tanh', 'a/mish/b/mish']);
});

test('a report has the slope of a LeakyRelu and of a mixture, and of nothing else', async () => {
  const nodes = [node('Relu', ['x'], ['r']), node('LeakyRelu', ['r'], ['y'], { alpha: { f: 0.5 } })];
  const { report } = await swapped(model({ nodes }), { leaky: 'mixture' });
  const common = { scope: 'graph', node: '', elemType: 'f32', beta: 1 };
  expect(report.sites).toStrictEqual([
    { ...common, label: 'Relu → r', output: 'r', kind: 'relu' },
    { ...common, label: 'LeakyRelu → y', output: 'y', kind: 'leakyrelu', alpha: 0.5, leak: 0.5 },
  ]);
});
