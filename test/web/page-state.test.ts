import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OnnxMishError } from '../../src/base/error.js';
import type { Advice, OptionHint } from '../../src/base/option-hint.js';
import { curvedShareIn, MAX_CURVED_INPUT } from '../../src/metrics/curved-share.js';
import { REPLACEMENTS } from '../../src/mish/activation-kinds.js';
import { ACTIVATIONS } from '../../src/mish/activations.js';
import { doubtFor } from '../../src/web/workbench/engine/doubt.js';
import { problemOf } from '../../src/web/workbench/engine/problem.js';
import { abscissae, curves } from '../../src/web/workbench/page/curves.js';
import { modelAmong } from '../../src/web/workbench/page/files.js';
import { isSame } from '../../src/web/workbench/page/is-same.js';
import { likelyLabels } from '../../src/web/workbench/page/labels.js';
import { marksBetween, timeAxis } from '../../src/web/workbench/page/latency-strip.js';
import { askedSizes, readFeed, shapeProblem, unshaped } from '../../src/web/workbench/page/shapes.js';
import {
  type Action,
  choiceOf,
  providersOf,
  reduce,
  START,
  type State,
} from '../../src/web/workbench/page/state.js';
import type { OpenedModel, SiteHistogram } from '../../src/web/workbench/protocol.js';

const file = (name: string) => ({ name, blob: new Blob() });
const after = (...actions: Action[]): State => actions.reduce(reduce, START);

const report = { sites: [] } as unknown as Extract<Action, { kind: 'swapped' }>['swapped']['report'];
/** A model that was swapped with the first choice. */
const swapped: Action = {
  kind: 'swapped',
  choice: choiceOf(START),
  swapped: { name: 'a.mish.onnx', blob: new Blob(), report },
};

test('changing the choice removes the swapped model and the problem of its swap', () => {
  const problem: Action = { kind: 'problem', place: 'swap', problem: { code: 'io', what: 'no' } };
  expect(after(swapped).swapped).not.toBeNull();
  for (const change of [{ form: 'native' }, { beta: 2 }, { leaky: 'mixture' }] as const) {
    const state = after(swapped, problem, { kind: 'choose', change });
    expect(state.swapped).toBeNull();
    expect(state.problems).toEqual({});
  }
  expect(after(swapped, { kind: 'look-at', site: 3 }).swapped).not.toBeNull();
});

test('a swapped model of another choice is dropped, and a choice counts once its sites are listed', () => {
  const model = { inspection: { sites: [{}, {}] } } as unknown as OpenedModel;
  const write: Action = { kind: 'write', to: 'hardswish', model };
  const listing = after({ kind: 'listing', to: 'hardswish' });
  expect(listing).toMatchObject({ to: undefined, listing: 'hardswish' });
  expect(reduce(listing, write)).toMatchObject({ to: 'hardswish', listing: null });
  expect(after({ kind: 'swapping' }, write, swapped)).toMatchObject({ swapping: false, swapped: null });
  const problem: Action = { kind: 'problem', place: 'swap', problem: { code: 'io', what: 'no' } };
  expect(reduce(listing, problem)).toMatchObject({ to: undefined, listing: null });
});

test('the histogram of a site is that of the current samples', () => {
  const histogram = { from: 0, width: 1, counts: [1], below: 0, above: 0 } as unknown as SiteHistogram;
  const counted = after({ kind: 'input', input: { site: 0, histogram } });
  const changes = [{ kind: 'npz' }, { scale: '2' }, { runs: 9 }, { seed: 1 }, { dims: { N: '2' } }] as const;
  for (const change of changes) expect(reduce(counted, { kind: 'feed', change }).input).toBeNull();
  expect(reduce(counted, { kind: 'feed', change: { pairs: 5 } }).input?.histogram).toBe(histogram);
});

test('a provider that the browser lacks is not run, and no answer about a model makes up for it', () => {
  const fit = { runs: false, available: true, reason: 'r', fix: null, nodes: [] };
  const fits = [
    { ...fit, provider: 'wasm' },
    { ...fit, provider: 'webgpu', available: false },
  ] as const;
  const known = after({ kind: 'fits', which: 'original', fits });
  expect(providersOf(START)).toEqual(['wasm', 'webgl', 'webgpu']);
  expect(providersOf(known)).toEqual(['wasm', 'webgl']); // a model that WASM does not run gets a row that says so
  const model = { name: 'b', inspection: { sites: [], inputs: [] } } as unknown as OpenedModel;
  const files = { model: file('b.onnx'), external: [] };
  const others: Action[] = [
    { kind: 'fits', which: 'swapped', fits: 'asking' },
    { kind: 'fits', which: 'original', fits: null },
    { kind: 'opened', model, to: undefined, files },
    { kind: 'feed', change: { providers: ['webgpu', 'webgl'] } },
  ];
  expect(providersOf(others.reduce(reduce, known))).toEqual(['webgl']);
  expect(others.reduce(reduce, known).feed.providers).toEqual(['webgpu', 'webgl']);
});

describe('choosing the model among files', () => {
  test('the model is the file that ends in .onnx, or the only file', () => {
    expect(modelAmong([file('w.data'), file('a.ONNX')], [])).toMatchObject({
      model: { name: 'a.ONNX' },
      external: [{ name: 'w.data' }],
    });
    expect(modelAmong([file('anything')], [])).toMatchObject({ model: { name: 'anything' } });
  });

  test('files that the open model lacks are external data', () => {
    expect(modelAmong([file('w.data')], ['weights/w.data'])).toMatchObject({ model: null });
  });

  test('two models, or no model among several files, give a problem with advice', () => {
    for (const names of [
      ['a.onnx', 'b.onnx'],
      ['a.data', 'b.data'],
    ]) {
      expect(modelAmong(names.map(file), [])).toMatchObject({ problem: { fix: expect.any(String) } });
    }
  });
});

test('shapes and sizes are read exactly as typed, or rejected', () => {
  const inputs = [{ name: 'x', elemType: 'f32', dims: ['N', null, 4] }];
  const feed = { ...START.feed, dims: { N: ' 2 ' }, shapes: { x: '2, 3, 4' } };
  expect(readFeed(feed, inputs)).toMatchObject({ dims: { N: 2 }, shapes: { x: [2, 3, 4] } });
  for (const N of ['0', '-1', '1.5', 'two', '1e3']) {
    expect(readFeed({ ...feed, dims: { N } }, inputs)).toBeUndefined();
  }
  expect(readFeed({ ...feed, dims: { N: ' ' } }, inputs)?.dims).toEqual({});
  expect(shapeProblem('2 3 4')).toBeDefined();
});

test('arrays have their sizes, and a work that chooses the samples of a run asks for no batch', () => {
  const dim = fc.oneof(fc.constantFrom('N', 'H', 'W'), fc.integer({ min: 1, max: 9 }), fc.constant(null));
  const inputs = fc.array(
    fc.record({
      name: fc.constant('x'),
      elemType: fc.constant('f32'),
      dims: fc.array(dim, { maxLength: 4 }),
    }),
    { maxLength: 3 },
  );
  const kinds = fc.constantFrom('noise', 'images', 'npz', 'bundled');
  fc.assert(
    fc.property(inputs, kinds, fc.boolean(), (inputs, kind, ownRuns) => {
      const sizes = askedSizes(inputs, { kind, ownRuns });
      const symbols = sizes.map(({ symbol }) => symbol);
      const areArrays = kind === 'npz' || kind === 'bundled';
      const at = (from: number, to?: number) => inputs.flatMap(({ dims }) => dims.slice(from, to));
      const asked = [...(ownRuns ? [] : at(0, 1)), ...(areArrays ? [] : at(1))];
      expect(new Set(symbols)).toEqual(new Set(asked.filter((one) => typeof one === 'string')));
      expect(symbols).toHaveLength(new Set(symbols).size);
      const pixels = new Set<unknown>(kind === 'images' ? at(1) : []);
      for (const { symbol, isChosen } of sizes) expect(isChosen).toBe(!pixels.has(symbol));
      if (ownRuns && areArrays) expect(unshaped(inputs, { kind, ownRuns })).toEqual([]);
    }),
  );
});

test('an .npz is an input once its arrays are read, with the labels that are chosen', () => {
  const npz = file('test.npz');
  const feed = { ...START.feed, kind: 'npz', npz } as const;
  const [x, y] = ['x', 'y'].map((name) => ({ name, elemType: 'f32', dims: [9] }));
  const arrays = [x, y].flatMap((one) => one ?? []);
  expect(readFeed(feed, [])).toBeUndefined();
  expect(readFeed({ ...feed, arrays }, [])?.input).toEqual({ kind: 'npz', file: npz, labels: null });
  expect(readFeed({ ...feed, arrays, labels: 'y' }, [])?.input).toMatchObject({ labels: 'y' });
  expect(likelyLabels(arrays)).toBe('y');
  expect(likelyLabels(arrays, ['y'])).toBe('x'); // an input of this name
});

test('inputs and dimensions with the names of properties of all objects have no sizes that nobody typed', () => {
  for (const name of Object.getOwnPropertyNames(Object.prototype)) {
    const [unknown, named] = [undefined, [name]].map((dims) => [{ name, elemType: 'f32', dims }]);
    expect(readFeed(START.feed, unknown ?? []), name).toMatchObject({ dims: {}, shapes: {} });
    expect(readFeed(START.feed, named ?? []), name).toMatchObject({ dims: {}, shapes: {} });
    const typed = { dims: Object.fromEntries([[name, '3']]), shapes: Object.fromEntries([[name, '1, 2']]) };
    const feed = { ...START.feed, ...typed };
    expect(Object.entries(readFeed(feed, unknown ?? [])?.shapes ?? {})).toEqual([[name, [1, 2]]]);
    expect(Object.entries(readFeed(feed, named ?? [])?.dims ?? {})).toEqual([[name, 3]]);
  }
});

test('arrays are scaled and transposed as typed, and an invalid factor is no input', () => {
  const feed = { ...START.feed, kind: 'npz', npz: file('x.npz'), arrays: [] } as const;
  const changed = (change: Partial<State['feed']>) => readFeed({ ...feed, ...change }, [])?.input;
  expect(changed({})).not.toHaveProperty('scale');
  expect(changed({ scale: ' 1/255 ' })).toMatchObject({ scale: 1 / 255 });
  expect(changed({ dataLayout: 'nhwc' })).toMatchObject({ dataLayout: 'nhwc' });
  for (const scale of ['', '0', '1/0', 'x', '1/2/3']) expect(changed({ scale })).toBeUndefined();
});

describe('a doubt about samples', () => {
  const advice = (option: Advice['option']): Advice => ({ text: 'the samples are odd. Divide them', option });
  const npz = { kind: 'npz', file: file('x.npz'), labels: null } as const;

  test('goes with the samples that it is about', () => {
    const doubt: Action = { kind: 'doubt', doubt: { what: 'odd.', remedy: null }, feed: START.feed };
    const doubted = reduce(START, doubt);
    expect(doubted).toMatchObject({ doubt: { what: 'odd.' }, announcement: 'odd.' });
    expect(reduce(doubted, { kind: 'feed', change: { scale: '1/255' } }).doubt).toBeNull();
    expect(after({ kind: 'feed', change: { scale: '1/255' } }, doubt).doubt).toBeNull(); // it comes late
    for (const change of [{ pairs: 5 }, { providers: [] }])
      expect(reduce(doubted, { kind: 'feed', change }).doubt).not.toBeNull();
  });

  test('names the field that mends them, with what is typed there taken into account', () => {
    expect(doubtFor(advice({ scale: '1/255' }), npz)).toEqual({
      ...{ what: 'The samples are odd. Divide them.', remedy: { scale: '1/255' } },
    });
    expect(doubtFor(advice({ scale: '1/255' }), { ...npz, scale: 255 }).remedy).toEqual({ scale: '1' });
    expect(doubtFor(advice({ scale: 255 }), { ...npz, scale: 1 / 255 }).remedy).toEqual({ scale: '1' });
    const images = { kind: 'images', files: [] } as const;
    expect(doubtFor(advice({ std: 0.00392157 }), images).remedy).toEqual({
      std: '0.00392157, 0.00392157, 0.00392157',
    });
    expect(doubtFor(advice({ scale: '1/255' }), images).remedy).toEqual({ std: '1, 1, 1' });
    expect(doubtFor(advice({ scale: 255 }), { kind: 'bundled' }).remedy).toBeNull();
    for (const input of [npz, images, { kind: 'bundled' }, { kind: 'noise', seed: 0, runs: 1 }] as const)
      expect(doubtFor(advice(undefined), input).remedy, input.kind).toBeNull();
  });
});

test('the bundled images stay chosen only for a model that takes them', () => {
  const opened = (...dims: (string | number)[]): Action => {
    const inspection = { sites: [], inputs: [{ name: 'x', elemType: 'f32', dims }] };
    const model = { name: 'a.onnx', inspection, missing: [] } as unknown as OpenedModel;
    return { kind: 'opened', model, to: undefined, files: { model: file('a.onnx'), external: [] } };
  };
  const choose: Action = { kind: 'feed', change: { kind: 'bundled' } };
  expect(after(choose, opened('N', 1, 28, 28)).feed.kind).toBe('bundled');
  expect(after(choose, opened(1, 3, 28, 28)).feed.kind).toBe('noise');
});

test('more external data that tells of other sites chooses all of them', () => {
  const open = (...outputs: string[]): Action => {
    const sites = outputs.map((output) => ({ output }));
    const model = {
      name: 'a.onnx',
      inspection: { sites, inputs: [] },
      missing: [],
    } as unknown as OpenedModel;
    return { kind: 'opened', model, to: undefined, files };
  };
  const files = { model: file('a.onnx'), external: [] };
  const some = after(open('a', 'b', 'c'), { kind: 'choose-sites', sites: [1], on: false });
  expect([...reduce(some, open('a', 'b', 'c')).chosen]).toEqual([0, 2]);
  expect([...reduce(some, open('a', 'b', 'c', 'd')).chosen]).toEqual([0, 1, 2, 3]);
  expect([...reduce(some, open('z', 'b', 'c')).chosen]).toEqual([0, 1, 2]);
});

test('more external data keeps the chosen sites, unless they are listed for another activation by now', () => {
  const inspection = { sites: [{}, {}, {}], inputs: [] };
  const model = { name: 'a.onnx', inspection, missing: [] } as unknown as OpenedModel;
  const files = { model: file('a.onnx'), external: [] };
  const open = (to: State['to']): Action => ({ kind: 'opened', model, to, files });
  const some = after(open(undefined), { kind: 'choose-sites', sites: [1], on: false });
  const chosenAfter = (state: State, action: Action) => [...reduce(state, action).chosen];
  expect(chosenAfter(some, open(undefined))).toEqual([0, 2]);
  const written = reduce(some, { kind: 'write', to: 'swish', model });
  const fewer = reduce(written, { kind: 'choose-sites', sites: [0], on: false });
  expect(chosenAfter(fewer, open('swish'))).toEqual([1, 2]);
  expect(chosenAfter(fewer, open(undefined))).toEqual([0, 1, 2]);
});

test('choices are the same with equal settings and the very same files', () => {
  const [one, other] = [file('a.npz'), file('a.npz')];
  const choice = (files: ReturnType<typeof file>[], epochs = 1) => ({ input: { files }, epochs });
  expect(isSame(choice([one]), choice([one]))).toBe(true);
  expect(isSame(choice([one]), choice([other]))).toBe(false);
  expect(isSame(choice([one, other]), choice([other, one]))).toBe(false);
  expect(isSame(choice([one]), choice([one], 2))).toBe(false);
  expect(isSame(undefined, choice([one]))).toBe(false);
});

test('each run has a place on the axis of times, which has at least two marks', () => {
  const times = fc.array(fc.double({ min: 1e-3, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(times, (all) => {
      const { low, high, at } = timeAxis(all);
      const places = all.toSorted((a, b) => a - b).map((ms) => Number(at(ms).replace('%', '')));
      expect(places.every((place) => place >= 0 && place <= 100)).toBe(true);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      const marks = marksBetween(low, high);
      expect(marks.length).toBeGreaterThanOrEqual(2);
      expect(marks.length).toBeLessThanOrEqual(10);
      expect(marks.every((mark) => mark >= low && mark <= high)).toBe(true);
      const labels = marks.map((mark) => Number(at(mark).replace('%', '')));
      for (const [index, place] of labels.slice(1).entries())
        expect(place - (labels[index] ?? 0)).toBeGreaterThan(14);
    }),
  );
  expect(timeAxis([0, 0]).at(0)).toMatch(/^[\d.]+%$/); // a clock that is too coarse
});

test('the derivative equals the numerical slope of the curve, for each β and mixture', () => {
  const parameters = fc.record({
    x: fc.double({ min: -8, max: 8, noNaN: true }),
    beta: fc.double({ min: 0.5, max: 8, noNaN: true }),
    leak: fc.double({ min: 0, max: 0.5, noNaN: true }),
  });
  fc.assert(
    fc.property(parameters, ({ x, beta, leak }) => {
      const h = 1e-5;
      const { written: mish, derivative } = curves([x - h, x, x + h], { beta, alpha: 0.1, leak });
      const slope = ((mish[2] ?? 0) - (mish[0] ?? 0)) / (2 * h);
      expect(derivative[1]).toBeCloseTo(slope, 6);
    }),
  );
});

test('each activation that a swap can write has its curve and its slope', () => {
  const xs = abscissae();
  for (const to of REPLACEMENTS) {
    if (to === 'mish') continue;
    const { written, derivative } = curves(xs, { to, beta: 4, alpha: 0.1, leak: 0 });
    const expected = xs.map((x) => ACTIVATIONS[to].f(x, { beta: 1 })); // β is Mish's
    expect(written, to).toEqual(expected);
    const rise = (written.at(-1) ?? 0) - (written[0] ?? 0);
    const step = (xs[1] ?? 0) - (xs[0] ?? 0);
    expect(
      derivative.slice(1, -1).reduce((sum, slope) => sum + slope * step, step),
      to,
    ).toBeCloseTo(rise, 1);
  }
});

test('another activation to write chooses all its sites, and removes the swapped model', () => {
  const model = { name: 'a.onnx', inspection: { sites: [{}, {}] }, missing: [] } as unknown as OpenedModel;
  const state = after(swapped, { kind: 'look-at', site: 7 }, { kind: 'write', to: 'relu', model });
  expect(state).toMatchObject({ to: 'relu', site: 0, swapped: null });
  expect(choiceOf(state)).toMatchObject({ to: 'relu', sites: [0, 1] });
  expect(choiceOf(after({ kind: 'write', to: undefined, model }))).not.toHaveProperty('to');
});

test('the density adds up to the share of inputs inside the chart', () => {
  const histogram: SiteHistogram = {
    from: -2,
    width: 0.5,
    counts: [1, 2, 3, 4, 5, 3, 2],
    below: 0,
    above: 0,
  };
  const xs = abscissae(histogram);
  const { density = [] } = curves(xs, { beta: 1, alpha: 0.1, leak: 0 }, histogram);
  const step = (xs[1] ?? 0) - (xs[0] ?? 0);
  expect(density.reduce((sum, value) => sum + value * step, 0)).toBeCloseTo(1, 1);
  expect(curvedShareIn(histogram, 1)).toBe(1);
  expect(curvedShareIn(histogram, 100)).toBe(0);
  expect(curvedShareIn(histogram, MAX_CURVED_INPUT.mish / 0.5)).toBe(9 / 20); // the bins around 0, whose middles are ±0.25
});

test('a part of the page that its server no longer has is a problem with advice', () => {
  for (const message of [
    'Failed to fetch dynamically imported module: http://x/assets/matcher-CaiVzmab.js',
    'error loading dynamically imported module: http://x/a.js',
    'Importing a module script failed.',
  ])
    expect(problemOf(new TypeError(message))).toMatchObject({
      code: 'io',
      fix: expect.stringMatching(/try again.*reload/),
    });
  const forbidden =
    "Evaluating a string as JavaScript violates … 'unsafe-eval' is not an allowed source of script";
  expect(problemOf(new EvalError(forbidden))).toMatchObject({
    fix: expect.stringContaining('onnx-mish report'),
  });
  expect(problemOf(new TypeError('x is undefined'))).toEqual({ code: 'run-failed', what: 'x is undefined' });
});

test.each<[OptionHint, string]>([
  [{ loss: 'bce' }, 'Try it (onnx-mish finetune --loss bce)'],
  [{ head: null }, 'Try it (onnx-mish finetune --head)'],
  [{ layers: null }, 'Try it (onnx-mish calibrate --layers)'],
  [{ form: 'softplus', opset: 18 }, 'Try it (onnx-mish swap --opset 18)'],
  [{ swap: { int8: 'exact' } }, 'Try it (onnx-mish swap --int8 exact)'],
  [{ shapes: null }, 'Give the sizes of the model’s free dimensions'],
  [{ calibrate: false }, 'Try it'],
])('the advice with the options %j is in the words of the page, or names the command', (option, fix) => {
  const error = new OnnxMishError('bad-data', 'it fails', { fix: 'Try it', option });
  expect(problemOf(error)).toEqual({ code: 'bad-data', what: 'it fails', where: undefined, fix });
});
