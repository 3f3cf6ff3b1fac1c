import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseBudget } from '../../../src/calibrate/select/budget.js';
import { parseRanking } from '../../../src/calibrate/select/ranking.js';
import type { BudgetResult } from '../../../src/calibrate/select/swap-within-budget.js';
import { type Dataset, seededFeeds } from '../../../src/data/dataset.js';
import { driftMeter } from '../../../src/metrics/drift.js';
import { swap } from '../../../src/mish/swap.js';
import { rankSites, swapWithinBudget } from '../../../src/node/calibrate-files.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import { readFashion } from '../../support/fashion.js';
import { failure } from '../../support/graph.js';
import { isHeavy } from '../../support/heavy.js';
import { floats, model, node, value } from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';
import { layer, normals, rankedModel, samplesOf } from '../../support/ranked.js';

const DATA = samplesOf(normals(60));
const within = (limits: readonly string[], data: Dataset = DATA, bytes = rankedModel, more = {}) =>
  swapWithinBudget(bytes, { budget: parseBudget(limits), data: () => data, ...more });
const names = ({ sites }: BudgetResult) => sites.map(({ node }) => node).toSorted();

describe('three sites with known degradations', () => {
  test('are all swapped within a generous budget, and measured on both subsets', async () => {
    const kept = await within(['sqnr>=0', 'max-abs<=1', 'cosine>=0.5']);
    expect(names(kept)).toEqual(['faint', 'harmful', 'safe']);
    expect(kept).toMatchObject({ of: 3, takenBack: 0, left: [], notes: [] });
    expect([kept.searched?.samples, kept.heldOut?.samples]).toEqual([40, 20]);
    for (const judged of [kept.searched, kept.heldOut]) {
      expect(judged?.verdicts.map(({ kept }) => kept)).toEqual([true, true, true]);
    }
  });

  test('are partly swapped within a smaller budget, the others listed with a reason', async () => {
    const kept = await within(['max-abs<=0.001']);
    expect(names(kept)).toEqual(['faint', 'safe']);
    expect(kept.left).toMatchObject([
      { node: 'harmful', reason: 'excluded', why: expect.stringContaining('budget') },
    ]);
    expect(kept.everything?.harm.maxAbs).toBeGreaterThan(0.3);
    expect(kept.heldOut?.harm.maxAbs).toBeLessThan(0.001);
    const exact = await within(['sqnr>=500']);
    expect(names(exact)).toEqual(['safe']);
    expect(exact.heldOut?.verdicts[0]?.value).toBe(Number.MAX_VALUE);
  });

  test('are not swapped within a strict budget, and the least degrading site is reported', async () => {
    const kept = await within(['sqnr>=60'], DATA, rankedModel, { include: ['harmful'] });
    expect(kept).toMatchObject({ of: 1, sites: [], searched: null, heldOut: null });
    expect(kept.plan.sites).toEqual([]);
    expect(kept.mostHarmless).toMatchObject({
      label: 'harmful',
      searched: { sites: 1 },
      heldOut: { samples: 20 },
    });
    expect(kept.mostHarmless?.searched.harm.sqnr).toBeLessThan(60);
  });

  test('are swapped by the plan, in the requested form and with the requested β', async () => {
    const kept = await within(['max-abs<=0.001'], DATA, rankedModel, { form: 'native', beta: 3 });
    const { report } = await swap(rankedModel, { plan: kept.plan });
    expect(report).toMatchObject({ form: 'native', beta: 3 });
    expect(report.sites.map(({ node }) => node).toSorted()).toEqual(names(kept));
  });

  test('must be within every limit', async () => {
    const loose = 'max-abs<=10';
    expect(names(await within([loose, 'sqnr>=500']))).toEqual(['safe']);
    expect(names(await within(['sqnr>=500', loose]))).toEqual(['safe']);
  });

  test('are chosen equally by the same samples and seed', async () => {
    const one = await within(['max-abs<=0.001'], DATA, rankedModel, { seed: 3 });
    expect(await within(['max-abs<=0.001'], DATA, rankedModel, { seed: 3 })).toEqual(one);
  });
});

test.each(['u8', 'i8-symmetric', 'u8-with-relu'])(
  '%s: sites between quantised tensors are swapped within a budget, with new scales',
  async (name) => {
    const bytes = Uint8Array.from(readFileSync(new URL(`../../mish/int8/${name}.onnx`, import.meta.url)));
    const { images } = readFashion('train', 128);
    const data = Array.from({ length: 16 }, (_, at) => ({
      images: { elemType: 'f32', dims: [8, 1, 28, 28], data: images.slice(at * 6272, (at + 1) * 6272) },
    }));
    const ranking = await rankSites(bytes, { data: () => ({ source: 'npz', feeds: data }), int8: 'exact' });
    expect(ranking).toMatchObject({ int8: 'exact', skipped: [] });
    expect(parseRanking(JSON.parse(JSON.stringify(ranking)))).toEqual(ranking);
    expect(ranking.sites.every(({ measured }) => (measured?.maxAbs ?? 0) > 0)).toBe(true);
    expect(ranking.sites).toHaveLength(3);
    const keep = (limit: string) => within([limit], { source: 'npz', feeds: data }, bytes, { int8: 'exact' });
    const all = await keep('sqnr>=-50');
    expect(all).toMatchObject({ of: 3, plan: { int8: 'exact' } });
    const measured = all.heldOut?.harm.sqnr ?? Number.NaN;
    const some = await keep(`sqnr>=${measured + 1}`);
    expect(some.sites.length).toBeLessThan(3);
    expect(some.heldOut?.harm.sqnr ?? 500).toBeGreaterThan(measured + 1);
    for (const kept of [all, some]) {
      const { report } = await swap(bytes, { plan: kept.plan });
      expect(report.int8?.sites ?? 0).toBe(kept.sites.length);
      for (const { doubt = '' } of report.sites) expect(doubt).not.toMatch(/on request/);
    }
  },
);

describe('held-out samples', () => {
  // One sample lies in Mish's dip; the others, far above 0, are the same with Mish.
  const values = Float32Array.from({ length: 4 * 30 }, (_, index) => 50 + index);
  values.fill(-1, 4 * 17, 4 * 18);
  const bytes = model({
    nodes: [
      node('Relu', ['x'], ['r'], {}, { name: 'act' }),
      node('MatMul', ['r', 'same'], ['l']),
      node('Add', ['l', 'far'], ['z']),
      node('Relu', ['z'], ['s'], {}, { name: 'always' }),
      node('MatMul', ['s', 'same'], ['m']),
      node('Sub', ['m', 'far'], ['y']),
    ],
    initializers: [floats('far', [], [100]), layer('same')],
  });

  test('remove a site if they exceed the budget', async () => {
    let takenBack = 0;
    const seeds = isHeavy ? 12 : 4;
    for (let seed = 0; seed < seeds; seed++) {
      const kept = await within(['max-abs<=0.01'], samplesOf(values), bytes, { seed });
      takenBack += kept.takenBack;
      expect(names(kept)).toEqual(['always']);
      expect(kept.heldOut?.verdicts[0]?.kept).toBe(true);
      expect(kept.left).toMatchObject([
        {
          node: 'act',
          why: expect.stringMatching(kept.takenBack === 1 ? /^removed/ : /would be exceeded/),
        },
      ]);
    }
    // A third of the time the sample is held out.
    expect(takenBack).toBeGreaterThan(0);
    expect(takenBack).toBeLessThan(seeds);
  });

  test('get a note if they are too few for the limit', async () => {
    const kept = await within(['agreement>=0.9'], samplesOf(normals(9)), rankedModel, { include: ['safe'] });
    expect(kept.notes).toEqual([
      expect.stringContaining('3 held-out samples are too few for agreement>=0.9: a sample is 33 %'),
    ]);
  });

  test('cannot be held out of one run', async () => {
    expect(await failure(within(['sqnr>=1'], samplesOf(normals(1))))).toMatchObject({ code: 'bad-data' });
    expect(names(await within(['sqnr>=1'], samplesOf(normals(2))))).toHaveLength(3);
  });
});

describe('an error is thrown for', () => {
  test('top1-drop without labels', async () => {
    expect(await failure(within(['top1-drop<=1']))).toMatchObject({
      code: 'bad-usage',
      what: 'top1-drop<=1 needs labels',
      fix: expect.stringContaining('Name the array of the labels'),
      option: { labels: null, images: null },
    });
  });

  test('agreement of outputs that are not class scores', async () => {
    const bytes = model({
      inputs: [value('x', 1, ['N', 2, 2])],
      outputs: [value('y', 1, ['N', 2, 2])],
      nodes: [node('Relu', ['x'], ['y'])],
    });
    const feeds = Array.from({ length: 6 }, (_, run) => {
      return { x: { elemType: 'f32', dims: [1, 2, 2], data: normals(1, run) } };
    });
    expect(await failure(within(['agreement>=0.9'], { source: 'npz', feeds }, bytes))).toMatchObject({
      code: 'bad-usage',
      what: 'agreement>=0.9: no output looks like class scores',
      fix: expect.stringContaining('sqnr>=30'),
    });
  });

  test('an empty budget', async () => {
    expect(await failure(swapWithinBudget(rankedModel, { budget: [], data: () => DATA }))).toMatchObject({
      code: 'bad-usage',
    });
  });

  test('a node that cannot be swapped, under strict', async () => {
    const bytes = model({
      nodes: [node('Relu', ['x'], ['y']), node('Cast', ['x'], ['i'], { to: 7 }), node('Relu', ['i'], ['j'])],
    });
    expect(await failure(within(['sqnr>=1'], DATA, bytes, { strict: true }))).toMatchObject({
      code: 'skipped',
    });
  });
});

test('top1-drop is in percentage points of the labels', async () => {
  const values = normals(90);
  const best = (row: number) => {
    const scores = Array.from(values.slice(4 * row, 4 * row + 4));
    return scores.indexOf(Math.max(...scores));
  };
  const labels = Array.from({ length: 90 }, (_, row) => best(row));
  const data = samplesOf(values, labels);
  const kept = await within(['top1-drop<=0'], data);
  expect(kept.data.labelled).toBe(true);
  expect(kept.heldOut?.harm.top1Drop).toBeLessThanOrEqual(0);
  expect(kept.searched?.harm.top1Drop).toBeLessThanOrEqual(0);
});

test('NaN in an output exceeds every budget', async () => {
  const bytes = model({
    nodes: [node('Relu', ['x'], ['r']), node('Add', ['r', 'some'], ['s']), node('Log', ['s'], ['y'])],
    initializers: [floats('some', [], [0.3])], // Mish goes down to -0.31
  });
  const options = { include: ['r'] }; // by its name, as it guards the logarithm
  const kept = await within(['sqnr>=-500', 'agreement>=0'], samplesOf(normals(300)), bytes, options);
  expect(kept.sites).toEqual([]);
  expect(kept.everything?.harm.broken).toBeGreaterThan(0);
});

test('a model without sites gives an empty plan', async () => {
  const kept = await within(['sqnr>=1'], DATA, model({ nodes: [node('Tanh', ['x'], ['y'])] }));
  expect(kept).toMatchObject({ of: 0, sites: [], everything: null, mostHarmless: null, evaluations: 0 });
});

test('the report of the text classifier on noise equals a measurement of the swapped plan', async () => {
  const path = REAL_MODELS.classifier;
  const data = seededFeeds([{ name: 'x', elemType: 'f32', dims: [1, 3, 48, isHeavy ? 96 : 48] }], {
    count: isHeavy ? 24 : 8,
  });
  const stages = new Set<string>();
  const kept = await swapWithinBudget(path, {
    budget: parseBudget(['sqnr>=15']),
    data: () => data,
    onProgress: ({ stage, model, models }) => {
      stages.add(stage);
      expect(model).toBeLessThanOrEqual(models);
    },
  });
  expect([...stages]).toEqual(['ranking', 'searching', 'checking']);
  expect(kept.sites.length).toBeGreaterThan(0);
  expect(kept.sites.length).toBeLessThan(15);
  expect(kept.notes.join()).toContain('the samples are noise');
  expect(kept.evaluations).toBeLessThanOrEqual(7 * 15 + 4 + 4);
  const { output } = await swap(bytesOf(path), { plan: kept.plan });
  const [before, after] = [
    await nodeProvider('cpu').open(path),
    await nodeProvider('cpu').open(await output.bytes()),
  ];
  const [{ name } = { name: '' }] = before.outputs;
  const meter = driftMeter(name);
  for (const feed of data.feeds) meter.add((await before.run(feed))[name], (await after.run(feed))[name]);
  await before.close();
  await after.close();
  // Each subset is within the budget, so all together are.
  expect(meter.result().sqnr).toBeGreaterThanOrEqual(15);
});
