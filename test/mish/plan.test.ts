import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { inspect } from '../../src/mish/inspect.js';
import { type Plan, parsePlan, planOf } from '../../src/mish/plan.js';
import { mish } from '../../src/mish/reference.js';
import { ifNode } from '../support/bodies.js';
import { swapped } from '../support/graph.js';
import { expectClose, expectMish, POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { f32, OPTIMISERS, run } from '../support/run.js';

const F32 = 1;
const vector = (name: string) => value(name, F32, ['N']);
const relu = (from: string, to: string) => node('Relu', [from], [to]);

// Three sites; a fourth Relu is arithmetic, a fifth works on integers, and a PRelu opts in.
const source = model({
  nodes: [
    relu('x', 'a'),
    node('LeakyRelu', ['a'], ['b']),
    ifNode('y', 'z', [relu('b', 'z')], [node('Neg', ['b'], ['z'])]),
    relu('x', 'counted'),
    node('Cast', ['counted'], ['n'], { to: 6 }),
    relu('n', 'm'),
    node('PRelu', ['x', 'slope'], ['p']),
  ],
  inputs: [vector('x'), value('cond', 9, [])],
  outputs: [vector('y'), vector('p'), value('m', 6, ['N'])],
  initializers: [floats('slope', [1], [0.1])],
});

/** A plan as it comes back from a file. */
async function dryRun(options = {}): Promise<Plan> {
  const { report } = await swapped(source, options);
  return parsePlan(JSON.parse(JSON.stringify(planOf(report))));
}

const feeds = (yes: boolean) =>
  ({ x: f32(POINTS), cond: { type: 'bool', dims: [], data: [yes ? 1 : 0] } }) as const;

describe('a plan', () => {
  test('lists the sites and the skips of a dry run', async () => {
    const plan = await dryRun({ form: 'exp', beta: 2 });
    expect(plan).toMatchObject({ schema: 'onnx-mish/plan@1', form: 'exp', beta: 2 });
    expect(plan.sites.map(({ scope, output }) => `${scope} ${output}`)).toEqual([
      'graph a',
      'graph b',
      'graph/choose.then_branch z',
    ]);
    expect(plan.skipped).toMatchObject([
      { output: 'counted', reason: 'arithmetic' },
      { output: 'm', reason: 'integer' },
    ]);
  });

  test.each([
    {},
    { form: 'exp' as const, beta: 2 },
    { only: ['prelu', 'relu'] },
    { form: 'native' as const, opset: 18 },
    { to: 'gelu' as const, opset: 20 },
  ])('without edits swaps the sites that the dry run reported: %j', async (options) => {
    const direct = await swapped(source, options);
    const planned = await swapped(source, { plan: await dryRun(options) });
    expect(planned.bytes).toEqual(direct.bytes);
    expect(planned.report.sites).toEqual(direct.report.sites);
    expect(planOf(planned.report)).toMatchObject({ ...planOf(direct.report), skipped: expect.anything() });
  });

  test('with a site taken out leaves it alone', async () => {
    const plan = await dryRun();
    const { report } = await swapped(source, {
      plan: { ...plan, sites: plan.sites.filter(({ output }) => output !== 'b') },
    });
    expect(report.sites.map(({ output }) => output)).toEqual(['a', 'z']);
    expect(report.skipped).toContainEqual(
      expect.objectContaining({ output: 'b', reason: 'excluded', why: 'not in the plan' }),
    );
    expect(report.skipped.map(({ output }) => output)).not.toContain('p');
  });

  test.each(OPTIMISERS)('may override an arithmetic skip; optimiser %s', async (optimiser) => {
    const plan = await dryRun();
    const counted = { scope: 'graph', output: 'counted' };
    const { bytes, report } = await swapped(source, { plan: { ...plan, sites: [counted] } });
    expect(report.sites.map(({ output }) => output)).toEqual(['counted']);
    const { m } = await run(bytes, feeds(false), optimiser);
    expect(m).toEqual(POINTS.map((x) => Math.max(0, Math.trunc(Math.fround(mish(x))))));
  });

  test('swaps an optional kind that it names', async () => {
    const plan = await dryRun({ only: ['prelu'] });
    expect(plan.sites).toMatchObject([{ output: 'p', kind: 'prelu' }]);
    expectMish((await run((await swapped(source, { plan })).bytes, feeds(true))).p, POINTS);
  });
});

describe('the sharpness in a plan', () => {
  test('is that of the plan, unless a site has its own', async () => {
    const plan = await dryRun();
    const edited = {
      ...plan,
      beta: 4,
      sites: plan.sites.map((site) => (site.output === 'b' ? { ...site, beta: 0.5 } : site)),
    };
    const { bytes, report } = await swapped(source, { plan: parsePlan(edited) });
    expect(report.sites.map(({ output, beta }) => [output, beta])).toEqual([
      ['a', 4],
      ['b', 0.5],
      ['z', 4],
    ]);
    const { y } = await run(bytes, feeds(true));
    expectClose(
      y,
      POINTS.map((x) => mish(mish(mish(x, 4), 0.5), 4)),
    );
  });

  test('is recorded when it is one, and left out when sites differ', async () => {
    const plan = await dryRun();
    const history = async (changed: Plan) =>
      (await inspect((await swapped(source, { plan: changed })).bytes)).history;
    expect(await history({ ...plan, beta: 4 })).toMatchObject([{ beta: 4, sites: 3 }]);
    const [first, ...rest] = plan.sites;
    const mixed = await history({
      ...plan,
      sites: [{ ...first, scope: 'graph', output: 'a', beta: 3 }, ...rest],
    });
    expect(mixed).toHaveLength(1);
    expect(mixed[0]).not.toHaveProperty('beta');
  });

  test.each([0, -1, Number.NaN])('%d is refused', async (beta) => {
    const plan = await dryRun();
    await expect(swapped(source, { plan: { ...plan, beta } })).rejects.toMatchObject({ code: 'bad-usage' });
    const sites = [{ scope: 'graph', output: 'a', beta }];
    await expect(swapped(source, { plan: { ...plan, sites } })).rejects.toMatchObject({ code: 'bad-usage' });
  });
});

describe('an invalid plan', () => {
  test('of another model is refused with the missing activation', async () => {
    const plan = await dryRun();
    const other = model({ nodes: [relu('x', 'else')] });
    await expect(swapped(other, { plan })).rejects.toMatchObject({
      code: 'bad-plan',
      what: expect.stringContaining("'a' in graph"),
      fix: expect.stringContaining('of this model'),
    });
  });

  test('that swaps integers is refused with the reason', async () => {
    const plan = await dryRun();
    const sites = [{ scope: 'graph', output: 'm' }];
    await expect(swapped(source, { plan: { ...plan, sites } })).rejects.toMatchObject({
      code: 'bad-plan',
      what: expect.stringContaining('elements are i32'),
    });
  });

  test('that names a site twice is refused', async () => {
    const plan = await dryRun();
    await expect(
      swapped(source, { plan: { ...plan, sites: [...plan.sites, ...plan.sites] } }),
    ).rejects.toMatchObject({ code: 'bad-plan', what: "'a' in graph is in the plan twice" });
  });

  const good = { schema: 'onnx-mish/plan@1', form: 'exp', beta: 1, sites: [], skipped: [] };
  test.each<[string, unknown, RegExp]>([
    ['null', null, /JSON object/],
    ['a list', [], /schema/],
    ['another schema', { ...good, schema: 'onnx-mish/plan@9' }, /schema/],
    ['an unknown form', { ...good, form: 'toString' }, /form/],
    ['a sharpness in words', { ...good, beta: 'two' }, /beta/],
    ['no sites', { ...good, sites: undefined }, /sites/],
    ['a site that is null', { ...good, sites: [null] }, /sites\[0\]\.scope/],
    ['a site without an output', { ...good, sites: [{ scope: 'graph' }] }, /sites\[0\]\.output/],
    [
      'a site with a sharpness in words',
      { ...good, sites: [{ scope: 'a', output: 'b', beta: '2' }] },
      /sites\[0\]\.beta/,
    ],
    ['an activation that cannot be written', { ...good, to: 'relu6' }, /to has to be one of mish, relu,/],
    ['an activation that is no text', { ...good, to: {} }, /to has to be one of/],
    ['an unknown target', { ...good, to: 'relu', target: 'npu' }, /target has to be one of cpu, wasm,/],
    ['a number', 7, /JSON object/],
    ['a form that is no text', { ...good, form: 3 }, /form has to be one of softplus, exp, native/],
    ['a form that is a list', { ...good, form: ['exp'] }, /form has to be one of/],
    [
      'a slope in words',
      { ...good, sites: [{ scope: 'a', output: 'b', leak: '0.1' }] },
      /sites\[0\]\.leak has to be a number from -8 to 8/,
    ],
    ['a slope too steep', { ...good, sites: [{ scope: 'a', output: 'b', leak: -8.5 }] }, /sites\[0\]\.leak/],
    ['skips that are no list', { ...good, skipped: 3 }, /skipped/],
  ])('%s: the error names the key', (_, json, message) => {
    expect(() => parsePlan(json, 'plan.json')).toThrow(message);
    expect(() => parsePlan(json, 'plan.json')).toThrow(/^plan\.json: /);
    expect(() => parsePlan(json)).toThrow(
      expect.objectContaining({
        code: 'bad-plan',
        where: 'plan',
        fix: 'Make one of this model',
        option: { plan: null },
      }),
    );
  });

  test('only the schema, the form and the sites are required', () => {
    expect(parsePlan({ schema: good.schema, form: 'exp', sites: [] })).toEqual(good);
    const relu = parsePlan({ schema: good.schema, to: 'relu', sites: [] });
    expect(relu).toEqual({ ...good, to: 'relu', form: 'native' });
  });
});

test('the plan in the docstring of parsePlan is one', () => {
  const source = readFileSync(new URL('../../src/mish/plan.ts', import.meta.url), 'utf8');
  const [, json = ''] = /JSON\.parse\('(.*)'\)/.exec(source) ?? [];
  expect(parsePlan(JSON.parse(json))).toMatchObject({ form: 'exp', beta: 1, sites: [] });
});

test('the steepest slopes are allowed, and none', () => {
  const sites = [8, -8, 0, undefined].map((leak) => ({ scope: 'graph', output: 'y', leak }));
  expect(parsePlan({ schema: 'onnx-mish/plan@1', form: 'exp', sites }).sites).toEqual(sites);
});

test('a dry run lists a sharpness only where it differs from the plan’s', () => {
  const site = { scope: 'graph', label: '', node: '', kind: 'relu', elemType: 'f32' };
  const sites = [
    { ...site, output: 'a', beta: 2 },
    { ...site, output: 'b', beta: 3 },
  ];
  const { sites: planned } = planOf({
    to: 'mish',
    form: 'exp',
    beta: 2,
    sites,
    skipped: [],
    notes: [],
    bytesIn: 0,
    bytesOut: 0,
  });
  expect(planned).toEqual([
    { ...site, output: 'a' },
    { ...site, output: 'b', beta: 3 },
  ]);
});

test('what a plan leaves out is said to be so, what was left alone before keeps its reason, and other kinds are not mentioned', async () => {
  const integers = node('Relu', ['n'], ['m'], {});
  const bytes = model({
    nodes: [relu('x', 'a'), node('Elu', ['a'], ['e']), relu('e', 'y'), integers],
    inputs: [value('x', 1, ['N']), value('n', 6, ['N'])],
  });
  const plan = parsePlan({
    schema: 'onnx-mish/plan@1',
    form: 'softplus',
    sites: [{ scope: 'graph', output: 'y' }],
  });
  const { report } = await swapped(bytes, { plan });
  expect(report.sites.map(({ output }) => output)).toEqual(['y']);
  expect(report.skipped.map(({ output, reason, why }) => [output, reason, why])).toEqual([
    ['a', 'excluded', 'not in the plan'],
    ['m', 'integer', expect.stringContaining('i32')],
  ]);
  const both = parsePlan({ ...plan, sites: [{ scope: 'graph', output: 'm' }] });
  await expect(swapped(bytes, { plan: both })).rejects.toMatchObject({
    where: 'model',
    fix: expect.stringContaining('Remove it from the plan'),
  });
});
