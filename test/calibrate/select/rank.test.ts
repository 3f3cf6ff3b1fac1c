import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { degradationScore } from '../../../src/calibrate/select/degradation.js';
import { type Ranking, spearman } from '../../../src/calibrate/select/ranking.js';
import { seededFeeds } from '../../../src/data/dataset.js';
import { accuracy } from '../../../src/metrics/accuracy.js';
import { differenceOfShares } from '../../../src/metrics/paired.js';
import { approximations } from '../../../src/mish/approximations.js';
import { mish } from '../../../src/mish/reference.js';
import { swap } from '../../../src/mish/swap.js';
import { rankSites } from '../../../src/node/calibrate-files.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { Provider } from '../../../src/providers/provider.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { ifNode } from '../../support/bodies.js';
import { BIAS_BYTES, externalModel } from '../../support/external.js';
import { tempFolder } from '../../support/folder.js';
import { failure, reluModel } from '../../support/graph.js';
import { isHeavy } from '../../support/heavy.js';
import { floats, model, node, value } from '../../support/model.js';
import { REAL_MODELS } from '../../support/models.js';
import { normals, rankedModel, samplesOf } from '../../support/ranked.js';

const data = (count = 40, seed = 1) => {
  const dataset = samplesOf(normals(count, seed));
  return () => dataset;
};
const names = ({ sites }: Ranking) => sites.map(({ node }) => node);

/** The CPU, with a count of the models that it opened. */
function counting(): Provider & { opened: number } {
  const cpu = nodeProvider('cpu');
  const provider = {
    ...cpu,
    opened: 0,
    open(...args: Parameters<Provider['open']>) {
      provider.opened++;
      return cpu.open(...args);
    },
  };
  return provider;
}

describe('a ranking of three sites with a known order', () => {
  test('goes from the least to the most degrading site, with the right figures', async () => {
    const values = normals(40);
    const ranking = await rankSites(rankedModel, { data: () => samplesOf(values) });
    expect(names(ranking)).toEqual(['safe', 'faint', 'harmful']);
    const [safe, faint, harmful] = ranking.sites.map(({ measured }) => measured);
    expect(safe).toMatchObject({ sqnr: null, maxAbs: 0, broken: 0, problem: null, agreement: 1 });
    const error = (x: number) => Math.abs(mish(x) - Math.max(0, x));
    const worst = Math.max(...values.map(error));
    expect(harmful?.maxAbs).toBeCloseTo(worst, 4);
    expect(faint?.maxAbs).toBeCloseTo(worst / 1000, 4);
    const y = (x: number) => Math.max(0, x) + 0.001 * Math.max(0, -x);
    const power = (f: (x: number) => number) => values.reduce((total, x) => total + f(x) ** 2, 0);
    expect(harmful?.sqnr).toBeCloseTo(10 * Math.log10(power(y) / power(error)), 2);
    expect(ranking).toMatchObject({
      schema: 'onnx-mish/ranking@1',
      form: 'softplus',
      beta: 1,
      measuredIn: 'exp',
      data: { source: 'npz', noise: null, runs: 40, of: 40, samples: 40, labelled: false },
      spearman: 1,
    });
  });

  test.each(approximations())('has the degradation of the $form form', async ({ form, f }) => {
    const values = normals(40);
    const ranking = await rankSites(rankedModel, { data: () => samplesOf(values), form });
    expect(ranking).toMatchObject({ form, measuredIn: form });
    expect(names(ranking)).toEqual(['safe', 'faint', 'harmful']);
    const worst = Math.max(...values.map((x) => Math.abs(f(x) - Math.max(0, x))));
    expect(ranking.sites[2]?.measured?.maxAbs).toBeCloseTo(worst, 4);
  });

  test('has a smaller degradation for a larger β', async () => {
    const at = async (beta: number) =>
      (await rankSites(rankedModel, { data: data(), beta })).sites[2]?.measured;
    const [mild, sharp] = [await at(1), await at(8)];
    expect(sharp?.maxAbs).toBeCloseTo((mild?.maxAbs ?? 0) / 8, 1);
    expect(sharp?.sqnr).toBeGreaterThan((mild?.sqnr ?? 0) + 10);
  });

  test('leaves out sites that include does not match', async () => {
    const ranking = await rankSites(rankedModel, { data: data(), include: ['faint'] });
    expect(names(ranking)).toEqual(['faint']);
    expect(ranking.skipped.map(({ reason }) => reason)).toEqual(['excluded', 'excluded']);
  });

  test('is a plan, by its first sites', async () => {
    const { form, beta, sites } = await rankSites(rankedModel, { data: data(), form: 'native', beta: 2 });
    const plan = { schema: 'onnx-mish/plan@1', form, beta, sites: sites.slice(0, 2), skipped: [] } as const;
    const { report } = await swap(rankedModel, { plan });
    expect(report).toMatchObject({ form: 'native', beta: 2 });
    expect(report.sites.map(({ node }) => node).toSorted()).toEqual(['faint', 'safe']);
  });
});

describe('the estimate', () => {
  test('is reported with the measurement, and alone runs few samples', async () => {
    const both = await rankSites(rankedModel, { data: data(), estimateSamples: 4 });
    const only = await rankSites(rankedModel, { data: data(), estimateSamples: 4, top: 0 });
    expect(names(only)).toEqual(names(both));
    expect(only.sites.every(({ measured }) => measured === null)).toBe(true);
    expect(only.sites.map(({ estimate }) => estimate)).toEqual(both.sites.map(({ estimate }) => estimate));
    expect(only.spearman).toBeNull();
  });

  test('selects the sites to measure, with top', async () => {
    const ranking = await rankSites(rankedModel, { data: data(), estimateSamples: 4, top: 2 });
    expect(ranking.sites.map(({ node, measured }) => [node, measured !== null])).toEqual([
      ['safe', true],
      ['faint', true],
      ['harmful', false],
    ]);
  });

  test('equals the measurement if there are few samples, without a correlation', async () => {
    const ranking = await rankSites(rankedModel, { data: data(5) });
    for (const { estimate, measured } of ranking.sites) expect(estimate).toEqual(measured);
    expect(ranking.spearman).toBeNull();
  });
});

describe('a resumed ranking', () => {
  test('measures no site again', async () => {
    const controller = new AbortController();
    let soFar: Ranking | undefined;
    const first = counting();
    const error = await failure(
      rankSites(rankedModel, {
        data: data(),
        provider: first,
        signal: controller.signal,
        onMeasured: (ranking) => {
          soFar = ranking;
          if (ranking.sites.filter(({ measured }) => measured !== null).length === 2) controller.abort();
        },
      }),
    );
    expect(error).toMatchObject({ code: 'aborted' });
    expect(first.opened).toBe(3); // the original and two sites
    const second = counting();
    const done = await rankSites(rankedModel, { data: data(), provider: second, before: soFar });
    expect(second.opened).toBe(2); // the original and the last site
    expect(done).toEqual(await rankSites(rankedModel, { data: data() }));
  });

  test('keeps the figures of sites that another call excludes', async () => {
    let soFar: Ranking | undefined;
    const onMeasured = (ranking: Ranking) => {
      soFar = ranking;
    };
    await rankSites(rankedModel, { data: data(), include: ['safe', 'faint'], onMeasured });
    const one = await rankSites(rankedModel, {
      data: data(),
      include: ['harmful'],
      before: soFar,
      onMeasured,
    });
    expect(names(one)).toEqual(['harmful']);
    const third = counting();
    const all = await rankSites(rankedModel, { data: data(), before: soFar, provider: third });
    expect(names(all)).toEqual(['safe', 'faint', 'harmful']);
    expect(third.opened).toBe(1);
  });

  test('says how many samples an estimate is of, which are those of whole runs', async () => {
    const provider = counting();
    const ranking = await rankSites(rankedModel, { data: data(), estimateSamples: 0, top: 1, provider });
    expect(ranking.estimateSamples).toBeGreaterThan(0);
    expect(ranking.data.samples % ranking.estimateSamples).toBe(0);
  });

  test('counts the samples of test cases one by one', async () => {
    const feeds = [2, 5, 1].map((rows) => ({
      x: { elemType: 'f32', dims: [rows, 4], data: normals(rows) },
    }));
    const ranking = await rankSites(rankedModel, { data: () => ({ source: 'onnx-test', feeds }) });
    expect(ranking.data).toMatchObject({ runs: 3, samples: 8 });
  });

  test('can have a larger top', async () => {
    const few = await rankSites(rankedModel, { data: data(), estimateSamples: 4, top: 1 });
    const provider = counting();
    const more = await rankSites(rankedModel, {
      data: data(),
      estimateSamples: 4,
      top: 2,
      before: few,
      provider,
    });
    expect(provider.opened).toBe(2);
    expect(more.sites.filter(({ measured }) => measured !== null)).toHaveLength(2);
  });

  test.each([
    ['another model', reluModel(), {}, /is of another model/],
    ['other samples', rankedModel, { data: data(40, 2) }, /other samples/],
    ['another seed', rankedModel, { seed: 5 }, / seed 0, and now seed is 5/],
    ['fewer samples', rankedModel, { samples: 20 }, / samples 40, and now samples is 20/],
    ['another form', rankedModel, { form: 'exp' as const }, / form softplus, and now form is exp/],
    ['another β', rankedModel, { beta: 3 }, / beta 1, and now beta is 3/],
  ])('not with %s', async (_, bytes, options, message) => {
    const before = await rankSites(rankedModel, { data: data() });
    const error = failure(rankSites(bytes, { data: data(), ...options, before, beforeName: 'r.json' }));
    expect(await error).toMatchObject({
      code: 'bad-data',
      where: 'r.json',
      what: expect.stringMatching(message),
    });
  });
});

describe('special models', () => {
  test('have ranked sites in bodies and functions', async () => {
    const local = {
      name: 'Act',
      domain: 'local',
      input: ['a'],
      output: ['b'],
      node: [node('Relu', ['a'], ['b'], {}, { name: 'in_function' })],
      opsetImport: [{ domain: '', version: 18 }],
    };
    const bytes = model({
      domains: { local: 1 },
      functions: [local],
      inputs: [value('x', 1, ['N', 4]), value('cond', 9, [])],
      nodes: [
        ifNode(
          'h',
          'out',
          [node('Relu', ['x'], ['out'], {}, { name: 'in_branch' })],
          [node('Identity', ['x'], ['out'])],
        ),
        node('Act', ['h'], ['y'], {}, { domain: 'local' }),
      ],
    });
    const cond = { elemType: 'bool', dims: [], data: Uint8Array.of(1) };
    const { feeds, ...rest } = samplesOf(normals(20));
    const dataset = { ...rest, feeds: feeds.map((feed) => ({ ...feed, cond })) };
    const ranking = await rankSites(bytes, { data: () => dataset });
    expect(names(ranking).toSorted()).toEqual(['in_branch', 'in_function']);
    for (const { measured } of ranking.sites) expect(measured?.maxAbs).toBeGreaterThan(0.1);
  });

  test('have external data that is read and belongs to the fingerprint', async () => {
    const folder = await tempFolder();
    const path = await folder.write('m.onnx', externalModel('weights.bin'));
    await folder.write('weights.bin', BIAS_BYTES);
    const before = await rankSites(path, { data: data() });
    expect(before.model.sha256).toHaveLength(2);
    expect(before.sites[0]?.measured?.maxAbs).toBeGreaterThan(0.1);
    expect(await folder.list()).toEqual(['m.onnx', 'weights.bin']);
    await writeFile(folder.at('weights.bin'), new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer));
    const error = failure(rankSites(path, { data: data(), before }));
    expect(await error).toMatchObject({ what: expect.stringContaining('another model') });
  });

  test('rank a swap that returns NaN last, with the number of NaN', async () => {
    const bytes = model({
      nodes: [
        node('Relu', ['x'], ['r'], {}, { name: 'under_log' }),
        node('Add', ['r', 'some'], ['s']),
        node('Log', ['s'], ['l']),
        node('Relu', ['l'], ['m'], {}, { name: 'after' }),
        node('Add', ['m', 'l'], ['y']),
      ],
      initializers: [floats('some', [], [0.3])], // Mish goes down to -0.31
    });
    // By their names, as one guards the logarithm.
    const ranking = await rankSites(bytes, { data: data(200), include: ['after', 'under_log'] });
    expect(names(ranking)).toEqual(['after', 'under_log']);
    expect(ranking.sites[1]?.measured?.broken).toBeGreaterThan(0);
    expect(ranking.sites[1]?.measured).toMatchObject({ sqnr: null, maxAbs: null });
  });

  test('are refused if the original returns NaN', async () => {
    const bytes = model({ nodes: [node('Log', ['x'], ['l']), node('Relu', ['l'], ['y'])] });
    expect(await failure(rankSites(bytes, { data: data() }))).toMatchObject({
      code: 'bad-data',
      what: 'the original returns NaN on these samples',
    });
  });

  test('have an empty ranking if they have no sites', async () => {
    const bytes = model({ nodes: [node('Tanh', ['x'], ['y'])] });
    expect((await rankSites(bytes, { data: data() })).sites).toEqual([]);
  });

  test('have runs times their batch as samples of noise', async () => {
    const dataset = seededFeeds([{ name: 'x', elemType: 'f32', dims: [8, 4] }], { count: 5 });
    const ranking = await rankSites(rankedModel, { data: () => dataset, samples: 20 });
    expect(ranking.data).toMatchObject({ source: 'seed', noise: 0, runs: 2, of: 5, samples: 16 });
  });

  test('have no agreement if no output is class scores', async () => {
    const bytes = reluModel({ inputs: [value('x', 1, ['N', 4, 'T'])] });
    const feeds = [{ x: { elemType: 'f32', dims: [1, 4, 2], data: normals(2) } }];
    const { sites } = await rankSites(bytes, { data: () => ({ source: 'npz', feeds }) });
    expect(sites[0]?.measured).toMatchObject({ agreement: null, top1Drop: null });
  });
});

describe('labels', () => {
  test('stay with their samples in the shuffle, with several samples per run', async () => {
    const values = normals(60);
    const rows = 3;
    const feeds = Array.from({ length: 20 }, (_, run): Tensors => {
      const part = values.slice(4 * rows * run, 4 * rows * (run + 1));
      return { x: { elemType: 'f32', dims: [rows, 4], data: part } };
    });
    const labels = Array.from({ length: 60 }, (_, sample) => (sample * 7) % 4);
    const dataset = { source: 'npz', feeds, labels, samples: 60 } as const;
    const bytes = model({
      nodes: [node('Relu', ['x'], ['r'], {}, { name: 'act' }), node('Mul', ['r', 'w'], ['y'])],
      initializers: [floats('w', [4], [1, -3, 2, -1])],
    });
    const { sites, data: drawn } = await rankSites(bytes, { data: () => dataset });
    const cpu = nodeProvider('cpu');
    const { output } = await swap(bytes);
    const right = async (of: Uint8Array) => {
      const session = await cpu.open(of);
      const outputs = [];
      for (const feed of feeds)
        outputs.push((await session.run(feed)).y ?? { elemType: '', dims: [], data: [] });
      await session.close();
      return accuracy(outputs, labels).top1;
    };
    const rightOf = async (of: Uint8Array) => {
      const session = await cpu.open(of);
      const right: number[] = [];
      for (const feed of feeds) {
        const scores = (await session.run(feed)).y?.data as Float32Array;
        for (let row = 0; row < scores.length / 4; row++) {
          const four = scores.subarray(4 * row, 4 * row + 4);
          right.push(Number(four.indexOf(Math.max(...four)) === labels[right.length]));
        }
      }
      await session.close();
      return right;
    };
    const drop = 100 * ((await right(bytes)) - (await right(await output.bytes())));
    expect(sites[0]?.measured?.top1Drop).toBeCloseTo(drop, 9);
    const [low = 0, high = 0] = sites[0]?.measured?.top1DropInterval ?? [];
    const pair = differenceOfShares(await rightOf(bytes), await rightOf(await output.bytes()));
    expect([low, high]).toEqual([100 * pair.low, 100 * pair.high]);
    expect(Math.abs(drop)).toBeGreaterThan(0); // or the test would say nothing
    expect(drawn).toMatchObject({ runs: 20, samples: 60, labelled: true });
  });

  test.each([
    [[0, 1, 4, 0], /label 4 of sample 2 is outside the 4 classes \(0 to 3\)/],
    [[0, 1, 2], /3 labels cannot be divided equally among 4 runs/],
    [[0, 0, 1, 1, 2, 2, 3, 3], /4 rows for 8 labels/],
  ])('%j do not fit', async (labels, message) => {
    const dataset = samplesOf(normals(4), labels);
    expect(await failure(rankSites(rankedModel, { data: () => dataset }))).toMatchObject({
      code: 'bad-data',
      what: expect.stringMatching(message),
    });
  });
});

test.each([[{ samples: 0 }], [{ samples: 1.5 }], [{ top: -1 }], [{ estimateSamples: 0.5 }]])(
  '%j is refused',
  async (options) => {
    expect(await failure(rankSites(rankedModel, { data: data(), ...options }))).toMatchObject({
      code: 'bad-usage',
    });
  },
);

describe('a public model', () => {
  test('has the same order by estimates and measurements: the text classifier, on noise', async () => {
    const samples = isHeavy ? 40 : 12;
    const ranking = await rankSites(REAL_MODELS.classifier, {
      data: (inputs) => seededFeeds(inputs, { shapes: { x: [1, 3, 48, isHeavy ? 96 : 48] }, count: samples }),
      samples,
      estimateSamples: isHeavy ? 12 : 6,
    });
    expect(ranking.sites).toHaveLength(15);
    const measured = ranking.sites.map((site) =>
      site.measured === null ? 0 : degradationScore(site.measured),
    );
    expect(measured).toEqual(measured.toSorted((a, b) => b - a));
    expect(ranking.spearman).toBeGreaterThan(0.7);
    const estimates = ranking.sites.map((site) =>
      site.estimate === null ? 0 : degradationScore(site.estimate),
    );
    expect(spearman(estimates, measured)).toBeCloseTo(ranking.spearman ?? 0, 12);
  });

  test('may have sites in an If: the voice detector', async () => {
    const ranking = await rankSites(REAL_MODELS.vadLegacy, {
      data: (inputs) =>
        seededFeeds(inputs, { dims: { batch: 1, sequence: 512 }, shapes: shapes(inputs), count: 3 }),
      include: ['*'],
      samples: 3,
      top: 0,
    });
    expect(ranking.sites.length).toBeGreaterThan(10);
    for (const { scope, estimate } of ranking.sites) {
      expect(scope).not.toBe('graph');
      expect(estimate).toMatchObject({ broken: 0, problem: null });
    }
  });
});

const shapes = (inputs: readonly { name: string; dims: readonly (number | string)[] }[]) =>
  Object.fromEntries(
    inputs.map(({ name, dims }) => [
      name,
      dims.map((dim, axis) =>
        typeof dim === 'number' && dim > 0 ? dim : axis === 1 && dims.length === 2 ? 512 : 1,
      ),
    ]),
  );
