// What training gives after the swap, beside the original trained as long, on the models of models/:
//
//     node test/bench/finetune.js choose [name ...]   learning rates, on validation images
//     node test/bench/finetune.js [name ...]          the table, on the test images
//     node test/bench/finetune.js tries [name ...]    what helps: start, rate, warm-up, optimiser, on a stand-in
//     node test/bench/finetune.js ways [name ...]     batch normalisation put back, and a sharpness that falls, on validation images
//     node test/bench/finetune.js defaults [name ...] what the command reaches without an option but the data
//     node test/bench/finetune.js print               docs/finetune.jsonl as tables
//
// `npm run bench:finetune -- ...` builds first. Results are added to docs/finetune.jsonl as they come. The originals were trained
// on all 60,000 training images, so none of these can choose a rate: the choice is made on the first 2,000 images of t10k,
// which no table uses, and the tables are measured on the other 8,000. A stand-in is the same network, trained anew on 54,000
// training images, so that the other 6,000 are unseen. One thread.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { createRandom, normal } from '../../dist/base/random.js';
import { swap } from '../../dist/index.js';
import { meanWithInterval } from '../../dist/metrics/paired.js';
import { finetune, labelledArrays } from '../../dist/node/finetune.js';
import { indexGraphs } from '../../dist/onnx/graph-index.js';
import { splice } from '../../dist/onnx/splice.js';
import { weightEdit } from '../../dist/onnx/weights.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';
import { createTrainer, modelFromBytes } from '../../dist/train/index.js';
import { trainableWeights } from '../../dist/train/trainable.js';

const FASHION = '/usr/share/datasets/fashion-mnist'; // Debian's package dataset-fashion-mnist
const RESULTS = process.env.RESULTS ?? fileURLToPath(new URL('../../docs/finetune.jsonl', import.meta.url));
const here = (path) => fileURLToPath(new URL(`../../models/${path}`, import.meta.url));
const PIXELS = 28 * 28;
const CHOICE_IMAGES = 2000;
const SIGMA = 0.1;

const flip = ['flip'];
/** Settings of the table; `rates` are those to choose from, and `rate` holds without a choice. */
const MODELS = {
  mlp: { train: 60_000, epochs: 6, seeds: 3, rates: [3e-4, 1e-3, 3e-3], rate: 1e-3, choose: 60_000 },
  lenet5: { train: 60_000, epochs: 4, seeds: 3, rates: [3e-4, 1e-3], rate: 1e-3, choose: 20_000 },
  resnet20: { train: 60_000, epochs: 2, seeds: 3, rates: [3e-4, 1e-3], rate: 3e-4, choose: 2000 },
  mobilenet: { train: 60_000, epochs: 2, seeds: 3, rates: [1e-4, 3e-4], rate: 3e-4, choose: 2000 },
  'vgg-leaky': { train: 30_000, epochs: 1, seeds: 3, rates: [1e-4, 3e-4], rate: 1e-4, choose: 1000 },
  unet: { train: 10_000, epochs: 2, seeds: 3, rates: [3e-4, 1e-3], rate: 3e-4, choose: 1000, loss: 'mse' },
};
/** What is tried besides, each on the validation images. */
const TRIES = [
  { name: 'as in the table' },
  { name: 'rate 0.0003', rate: 3e-4 },
  { name: 'rate 0.003', rate: 3e-3 },
  { name: 'from the plain swap', calibrate: false },
  { name: 'without warm-up', warmUp: 0 },
  { name: 'warm-up over 20 % of the steps', warmUp: 0.2 },
  { name: 'adam', optimizer: { kind: 'adam' } },
  { name: 'adamw', optimizer: { kind: 'adamw' } },
  { name: 'constant rate', schedule: 'constant' },
  { name: 'label smoothing 0.1', labelSmoothing: 0.1 },
  { name: 'batch of 128', batch: 128 },
  { name: 'the original as teacher, share 0.5', teacher: 0.5 },
];
const idx = (name, header) => gunzipSync(readFileSync(join(FASHION, `${name}.gz`))).subarray(header);

/** Images [from, to) of a split with their targets: classes, or for the U-Net the images without noise. */
function images(name, split, from, to) {
  const bytes = idx(`${split}-images-idx3-ubyte`, 16).subarray(from * PIXELS, to * PIXELS);
  const clean = Float32Array.from(bytes, (value) => value / 255);
  const dims = [to - from, 1, 28, 28];
  if (name !== 'unet') {
    const targets = Array.from(idx(`${split}-labels-idx1-ubyte`, 8).subarray(from, to));
    return (inputs) => labelledArrays({ images: { elemType: 'f32', dims, data: clean } }, targets, inputs);
  }
  const random = createRandom(split === 'train' ? 1 : 2);
  const data = clean.map((value) => value + SIGMA * normal(random));
  const targets = { elemType: 'f32', dims, data: clean };
  return (inputs) => labelledArrays({ images: { elemType: 'f32', dims, data } }, targets, inputs);
}

const folder = join(tmpdir(), 'onnx-mish-finetune');
const KNOWN_IMAGES = 54_000;

/** The same network with random weights (He normal), trained on the first 54,000 images as models/train.py does it. */
async function standIn(name) {
  const path = join(folder, `${name}.stand-in.onnx`);
  mkdirSync(folder, { recursive: true });
  if (existsSync(path)) return path;
  const { document } = await modelFromBytes(new Uint8Array(readFileSync(here(`${name}.onnx`))));
  const index = indexGraphs(document);
  const random = createRandom(99);
  const edits = [];
  for (const weight of trainableWeights(document, index)) {
    const { dims } = weight.tensor;
    const inputs = dims.slice(1).reduce((product, dim) => product * dim, 1);
    const values = Float64Array.from(
      { length: dims[0] * inputs },
      () => normal(random) * Math.sqrt(2 / inputs),
    );
    edits.push(await weightEdit(document, weight, dims.length > 1 ? values : values.fill(0)));
  }
  const { samples, targets } = images(name, 'train', 0, KNOWN_IMAGES)([IMAGES]);
  const trainer = await createTrainer(await splice(document.source, edits).bytes(), {
    ...{ inputs: samples, targets, epochs: 12, batch: 128, warmUp: 2, augment: flip, seed: 100 },
    ...{ rate: name === 'lenet5' ? 3e-3 : 1e-3, optimizer: { kind: 'adamw', weightDecay: 0.02 } },
    ...{ provider: nodeProvider('cpu'), session: { threads: 1 } },
  });
  for await (const { epoch, loss } of trainer)
    console.error(`${name}, stand-in: epoch ${epoch}, loss ${loss.toFixed(4)}`);
  writeFileSync(path, await (await trainer.model()).bytes());
  await trainer.close();
  return path;
}

const IMAGES = { name: 'images', elemType: 'f32', dims: ['N', 1, 28, 28] };

/** The settings of the table that are no choice. */
const fixedFor = (name) => ({
  ...{ validation: 0, target: 'cpu', session: { threads: 1 } },
  ...(name === 'unet' ? {} : { augment: flip }),
});

/** Fine-tunes a model, and goes on from where a killed run of the same settings was. */
async function run(name, count, test, settings, path = here(`${name}.onnx`), fixed = fixedFor(name)) {
  mkdirSync(folder, { recursive: true });
  const file = join(
    folder,
    `${[name, count, ...test, JSON.stringify(settings)].join('-').replace(/\W+/g, '-')}.checkpoint`,
  );
  const begun = performance.now();
  const { report } = await finetune(path, {
    ...{ data: images(name, 'train', 0, count), test: images(name, ...test) },
    ...fixed,
    checkpoint: {
      resume: existsSync(file) ? readFileSync(file) : undefined,
      save: async (bytes) => writeFileSync(file, bytes),
    },
    onEstimate: (seconds) => console.error(`${name}: about ${Math.ceil(seconds / 60)} min`),
    ...settings,
  });
  rmSync(file, { force: true });
  console.error(`${name}: ${Math.round((performance.now() - begun) / 1000)} s; ${report.conclusion}`);
  return report;
}

/** The figures of a report that the tables need. */
function figures(
  name,
  kind,
  label,
  { settings, data, start, runs, comparison, latency, units, seconds, host },
) {
  const sum = (key) => units.reduce((total, unit) => total + (unit[key] ?? 0), 0);
  return {
    ...{ kind, name, label, settings, data: { train: data.train, test: data.test }, start },
    runs: runs.map(({ arm, seed, epochs, test, seconds }) => ({
      ...{ arm, seed, losses: epochs.map(({ loss }) => loss), test, seconds },
    })),
    ...{
      comparison,
      latency,
      units: {
        count: sum('count'),
        before: sum('before'),
        swapped: sum('swapped'),
        original: sum('original'),
      },
    },
    ...{ seconds, cpu: host.cpu, onnxruntime: host.onnxruntime },
  };
}

const results = () =>
  (existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8').split('\n') : [])
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Adds a result, in place of an earlier one of the same name. */
function add(row) {
  const same = (other) => other.kind === row.kind && other.name === row.name && other.label === row.label;
  const rows = [...results().filter((other) => !same(other)), row];
  writeFileSync(RESULTS, `${rows.map((one) => JSON.stringify(one)).join('\n')}\n`);
}

const lossOf = (report) => report.runs.reduce((sum, { test }) => sum + test.loss, 0) / report.runs.length;

/** Tries the rates of a model, and prints the one with the lowest mean loss of both arms. */
async function choose(name) {
  const { rates, epochs, choose: count, loss } = MODELS[name];
  const losses = [];
  for (const rate of rates) {
    const report = await run(name, count, ['t10k', 0, CHOICE_IMAGES], { epochs, loss, rate });
    add(figures(name, 'choice', `rate ${rate}`, report));
    losses.push(lossOf(report));
  }
  console.log(
    `${name}: rate ${rates[losses.indexOf(Math.min(...losses))]} (${losses.map((one) => one.toFixed(4)).join(', ')})`,
  );
}

async function tries(name) {
  const { epochs, rate } = MODELS[name];
  const path = await standIn(name);
  for (const { name: label, ...changed } of TRIES) {
    const unseen = ['train', KNOWN_IMAGES, 60_000];
    const report = await run(name, KNOWN_IMAGES, unseen, { epochs, rate, ...changed }, path);
    add(figures(name, 'try', label, report));
  }
}

/** The rate with the lowest mean loss of both arms, where a choice was made. */
function rateOf(name) {
  const choices = results().filter((row) => row.kind === 'choice' && row.name === name);
  const [best] = choices.toSorted((a, b) => lossOf(a) - lossOf(b));
  return best?.settings.rate ?? MODELS[name].rate;
}

async function table(name) {
  const { train, epochs, seeds, loss } = MODELS[name];
  const rate = rateOf(name);
  const report = await run(name, train, ['t10k', CHOICE_IMAGES, 10_000], { epochs, seeds, rate, loss });
  add(figures(name, 'table', '', report));
}

/** Numbers of images and of epochs, and the rate, for the ways. */
const WAY_SETTINGS = {
  mlp: [20_000, 8, 1e-3],
  lenet5: [20_000, 4, 1e-3],
  mobilenet: [4000, 4, 3e-4],
};
const WAYS = [
  { name: 'from the repair', control: true },
  { name: 'from the plain swap', calibrate: false },
  { name: 'batch normalisation put back', batchNorm: 'insert' },
];
/** Sharpness β of Mish in each quarter of the epochs, from the plain swap. */
const FALLS = { 'β 1 in parts': [1, 1, 1, 1], 'β from 16 to 1': [16, 4, 2, 1] };

async function ways(name) {
  const [count, epochs, rate] = WAY_SETTINGS[name];
  for (const { name: label, ...changed } of WAYS) {
    const settings = { epochs, rate, control: false, ...changed };
    add(figures(name, 'way', label, await run(name, count, ['t10k', 0, CHOICE_IMAGES], settings)));
  }
  for (const [label, betas] of Object.entries(FALLS)) {
    const test = await trainFalling(name, count, { betas, epochs, rate });
    add({
      ...{ kind: 'way', name, label, data: { train: count, test: CHOICE_IMAGES } },
      ...{ settings: { epochs, rate }, runs: [{ arm: 'swapped', seed: 0, test }] },
    });
  }
}

/**
 * Trains Mish of one sharpness after another, each for as many epochs, along one cosine in steps. A change of β is another model, so the
 * optimiser begins anew: compare with β 1 in parts.
 */
async function trainFalling(name, count, { betas, epochs, rate }) {
  const original = new Uint8Array(readFileSync(here(`${name}.onnx`)));
  const { samples: inputs, targets } = images(name, 'train', 0, count)([IMAGES]);
  const unseen = images(name, 't10k', 0, CHOICE_IMAGES)([IMAGES]);
  let weights = new Map();
  let score;
  for (const [part, beta] of betas.entries()) {
    const { output } = await swap(original, { form: 'exp', beta });
    const begun = weights;
    const trainer = await createTrainer(await output.bytes(), {
      ...{ inputs, targets, epochs: epochs / betas.length, augment: flip, seed: part, initial: () => begun },
      ...{ rate: (rate * (1 + Math.cos((Math.PI * (part + 0.5)) / betas.length))) / 2, schedule: 'constant' },
      ...{ optimizer: { kind: 'rmsprop', corrected: true }, provider: nodeProvider('cpu') },
      ...{ session: { threads: 1 }, warmUp: part === 0 ? 0.05 * epochs : 0 },
    });
    for await (const _ of trainer);
    const { loss, accuracy } = await trainer.evaluate({ inputs: unseen.samples, targets: unseen.targets });
    [weights, score] = [trainer.weights(), { loss, accuracy }];
    console.error(`${name}, β ${beta}: ${JSON.stringify(score)}`);
    await trainer.close();
  }
  return score;
}

/** Numbers of images and of seeds for the defaults, which train for six epochs. */
const DEFAULTS = {
  mlp: [60_000, 3],
  lenet5: [60_000, 3],
  resnet20: [15_000, 1],
  mobilenet: [60_000, 1],
  'vgg-leaky': [1000, 1],
  unet: [1000, 1],
};

/** Trains with the defaults; the U-Net needs its loss. */
async function defaults(name) {
  const [train, seeds] = DEFAULTS[name];
  const { loss } = MODELS[name];
  const test = ['t10k', CHOICE_IMAGES, 10_000];
  const report = await run(name, train, test, { seeds, loss }, undefined, {});
  add(figures(name, 'defaults', '', report));
}

const percent = (share) => (100 * share).toFixed(2);
const shown = ({ accuracy, loss }) => (accuracy === null ? loss.toFixed(5) : percent(accuracy));
const list = (runs, arm) =>
  runs
    .filter((one) => one.arm === arm)
    .map(({ test }) => shown(test))
    .join(', ');

function difference({ measure, overall: { value, low, high }, verdict }) {
  const text = (number) => (measure === 'loss' ? number.toFixed(5) : (100 * number).toFixed(2));
  return `${text(value)} (${text(low)} to ${text(high)}), ${verdict}`;
}

/** The mean of the trained models minus the original before training, with Student's interval over the seeds. */
function gain(start, runs) {
  const trained = runs.filter(({ arm }) => arm === 'swapped').map(({ test }) => test);
  const isLoss = start.original.accuracy === null;
  const of = ({ accuracy, loss }) => (isLoss ? loss : 100 * accuracy);
  const differences = trained.map((score) => of(score) - of(start.original));
  const digits = isLoss ? 5 : 2;
  if (differences.length < 2) return differences[0].toFixed(digits);
  const { value, low, high } = meanWithInterval(differences);
  const verdict = low <= 0 && high >= 0 ? 'level' : low > 0 === isLoss ? 'below' : 'above';
  return `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)}), ${verdict}`;
}

function print() {
  const rows = results();
  console.log(
    '| model | trained on | original | plain swap | repaired | Mish, trained | minus original | original, trained | Mish − original, both trained | never positive: before, Mish, control | time of a run |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const { name, data, settings, start, runs, comparison, latency, units } of rows.filter(
    ({ kind }) => kind === 'table',
  )) {
    const what = `${data.train} × ${settings.epochs}, ${settings.rate}`;
    const before = [start.original, start.plain, start.repaired ?? start.plain].map(shown).join(' | ');
    const dead = `${units.before}, ${units.swapped}, ${units.original} of ${units.count}`;
    console.log(
      `| ${name} | ${what} | ${before} | ${list(runs, 'swapped')} | ${gain(start, runs)} | ${list(runs, 'original')} | ${difference(comparison)} | ${dead} | ${latency.ratio.toFixed(2)} |`,
    );
  }
  for (const kind of ['choice', 'try', 'way']) {
    console.log(
      `\n| model | ${kind} | images × epochs | Mish | loss | original, trained | loss |\n| --- | --- | --- | --- | --- | --- | --- |`,
    );
    for (const { name, label, data, settings, runs } of rows.filter((row) => row.kind === kind)) {
      const [swapped, original] = ['swapped', 'original'].map(
        (arm) => runs.find((one) => one.arm === arm)?.test,
      );
      console.log(
        `| ${name} | ${label} | ${data.train} × ${settings.epochs} | ${shown(swapped)} | ${swapped.loss.toFixed(4)} | ${original === undefined ? ' | ' : `${shown(original)} | ${original.loss.toFixed(4)}`} |`,
      );
    }
  }
}

const WORK = { choose, tries, ways, defaults };
const [first, ...rest] = process.argv.slice(2);
if (first === 'print') print();
else {
  const work = WORK[first] ?? table;
  const names = first === undefined || WORK[first] ? rest : [first, ...rest];
  for (const name of names.length > 0 ? names : Object.keys(MODELS)) await work(name);
}
