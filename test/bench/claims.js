// The Mish paper's smaller claims, at a size that runs in minutes:
//
//     node test/bench/claims.js [depth] [noise] [initial] [--seeds 3]   measures, all by default
//     node test/bench/claims.js print                                   the results as tables
//
// `npm run experiment:claims -- ...` builds first. Results go to docs/experiment-claims.jsonl, a claim at a time. The data is
// Fashion-MNIST (Debian's package dataset-fashion-mnist): the first training images, and the last 2,000 test images, which took
// part in no choice. One thread. All activations of a seed get the same normal numbers and the same batches.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { createRandom, normal } from '../../dist/base/random.js';
import { gainOf } from '../../dist/experiment/gain.js';
import { initialWeights } from '../../dist/experiment/initial-weights.js';
import { swap } from '../../dist/index.js';
import { meanWithInterval } from '../../dist/metrics/paired.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';
import { isDivergence } from '../../dist/train/divergence.js';
import { createTrainer } from '../../dist/train/index.js';
import { cnn6, plainNet } from '../../models/architectures.js';

const FASHION = '/usr/share/datasets/fashion-mnist';
const RESULTS =
  process.env.RESULTS ?? fileURLToPath(new URL('../../docs/experiment-claims.jsonl', import.meta.url));
const PIXELS = 28 * 28;
const TEST_IMAGES = 2000;
const ACTIVATIONS = ['relu', 'swish', 'mish'];
const LABELS = { relu: 'ReLU', swish: 'Swish', mish: 'Mish' };
const OPTIONS = { optimizer: { kind: 'rmsprop' }, rate: 1e-3, batch: 64, schedule: 'cosine', keep: 'last' };

const idx = (name, header) => gunzipSync(readFileSync(`${FASHION}/${name}.gz`)).subarray(header);

/** Images and labels; a negative number counts from the end. */
function read(split, count) {
  const range = count < 0 ? [count] : [0, count];
  const labels = Array.from(idx(`${split}-labels-idx1-ubyte`, 8).subarray(...range));
  const bytes = idx(`${split}-images-idx3-ubyte`, 16).subarray(...range.map((at) => at * PIXELS));
  const data = Float32Array.from(bytes, (value) => value / 255);
  return { inputs: { images: { elemType: 'f32', dims: [labels.length, 1, 28, 28], data } }, targets: labels };
}

/** The same samples with normal noise of a deviation, added and not clipped. */
function noisy({ inputs: { images }, targets }, deviation) {
  const random = createRandom(1);
  const data = images.data.map((value) => value + deviation * normal(random));
  return { inputs: { images: { ...images, data } }, targets };
}

const withActivation = async (net, to) =>
  to === 'relu' ? net : (await swap(net, to === 'mish' ? { to, form: 'exp' } : { to })).output.bytes();

/** Trains a net from new weights, and scores it on each of the test sets; all null for a run that diverged. */
async function score({ net, activation, gain = gainOf(activation), seed, train, epochs, tests }) {
  const trainer = await createTrainer(await withActivation(net, activation), {
    ...{ ...train, ...OPTIONS, epochs, seed, initial: initialWeights({ gain, seed }) },
    ...{ provider: nodeProvider('cpu'), session: { threads: 1 } },
  });
  try {
    for await (const _ of trainer);
    const scores = [];
    for (const test of tests) scores.push(await trainer.evaluate(test));
    return scores.map(({ accuracy, loss }) => ({ accuracy, loss }));
  } catch (error) {
    if (!isDivergence(error)) throw error;
    return tests.map(() => ({ accuracy: null, loss: null }));
  } finally {
    await trainer.close();
  }
}

/** Runs all activations and seeds of a setting, and adds a row for each to the results. */
async function measure(rows, setting, options, seeds, places = [{}]) {
  for (let seed = 0; seed < seeds; seed++)
    for (const activation of ACTIVATIONS) {
      const scores = await score({ ...options, activation, seed });
      for (const [at, place] of places.entries())
        rows.push({ ...setting, ...place, activation, seed, ...scores[at] });
      const shown = scores.map(({ accuracy }) => (accuracy === null ? 'diverged' : accuracy.toFixed(4)));
      console.log(JSON.stringify({ ...setting, activation, seed }), shown.join(' '));
    }
}

async function depth(seeds, norm, depths, epochs = 5) {
  const [train, tests] = [read('train', 3000), [read('t10k', -TEST_IMAGES)]];
  const rows = [];
  for (const layers of depths)
    await measure(rows, { layers }, { net: plainNet({ layers, norm }), train, tests, epochs }, seeds);
  return { setting: { net: 'dense layers of 64 units', norm, train: 3000, epochs }, rows };
}

const CLAIMS = {
  depth: (seeds) => depth(seeds, true, [5, 15, 20, 25, 30]),
  'depth, trained longer': (seeds) => depth(seeds, true, [15, 30], 20),
  'depth without normalisation': (seeds) => depth(seeds, false, [5, 15, 30]),
  async noise(seeds) {
    const [train, clean] = [read('train', 3000), read('t10k', -TEST_IMAGES)];
    const places = [0, 0.05, 0.1, 0.2, 0.3, 0.5].map((deviation) => ({ deviation }));
    const tests = places.map(({ deviation }) => noisy(clean, deviation));
    const rows = [];
    await measure(rows, {}, { net: cnn6(), train, tests, epochs: 5 }, seeds, places);
    return { setting: { net: 'cnn6', train: 3000, epochs: 5 }, rows };
  },
  async initial(seeds) {
    const [train, tests] = [read('train', 3000), [read('t10k', -TEST_IMAGES)]];
    const rows = [];
    for (const factor of [0.5, 0.71, 1, 1.41, 2]) {
      const net = plainNet({ layers: 10, norm: false });
      for (let seed = 0; seed < seeds; seed++)
        for (const activation of ACTIVATIONS) {
          const gain = factor * gainOf(activation);
          const [result] = await score({ net, train, tests, epochs: 5, activation, gain, seed });
          rows.push({ factor, activation, seed, ...result });
          console.log(
            JSON.stringify({ factor, activation, seed }),
            result.accuracy?.toFixed(4) ?? 'diverged',
          );
        }
    }
    return {
      setting: { net: '10 dense layers of 64 units, no normalisation', train: 3000, epochs: 5 },
      rows,
    };
  },
};

const percent = (share) => (100 * share).toFixed(2).replace('-', '−');

function meanAndDeviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) };
}

/** Mean and deviation of each activation, and Mish's paired differences with 95 % intervals. */
function table(rows, keys) {
  const groups = new Map();
  for (const row of rows) {
    const name = keys.map((key) => row[key]).join(' | ');
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  const head = [...keys, ...ACTIVATIONS.map((name) => LABELS[name]), 'Mish − ReLU', 'Mish − Swish'];
  const lines = [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`];
  for (const [name, group] of groups) {
    const of = (activation) => group.filter((row) => row.activation === activation);
    const cells = ACTIVATIONS.map((activation) => {
      const ended = of(activation).filter(({ accuracy }) => accuracy !== null);
      const lost = of(activation).length - ended.length;
      const { mean, deviation } = meanAndDeviation(ended.map(({ accuracy }) => accuracy));
      const text = ended.length === 0 ? '–' : `${percent(mean)} ± ${percent(deviation)}`;
      return lost > 0 ? `${text}, ${lost} diverged` : text;
    });
    const differences = ['relu', 'swish'].map((other) => {
      const pairs = of('mish').flatMap(({ seed, accuracy }) => {
        const beside = of(other).find((row) => row.seed === seed)?.accuracy ?? null;
        return accuracy === null || beside === null ? [] : [accuracy - beside];
      });
      if (pairs.length < 2) return '–';
      const { value, low, high } = meanWithInterval(pairs);
      return `${percent(value)} (${percent(low)} to ${percent(high)})`;
    });
    lines.push(`| ${[name, ...cells, ...differences].join(' | ')} |`);
  }
  return lines.join('\n');
}

/** Mean loss of each activation. */
function lossTable(rows, key) {
  const head = [key, ...ACTIVATIONS.map((name) => LABELS[name])];
  const lines = [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`];
  for (const place of new Set(rows.map((row) => row[key]))) {
    const cells = ACTIVATIONS.map((activation) => {
      const own = rows.filter(
        (row) => row[key] === place && row.activation === activation && row.loss !== null,
      );
      return own.length === 0 ? '–' : meanAndDeviation(own.map(({ loss }) => loss)).mean.toFixed(3);
    });
    lines.push(`| ${[place, ...cells].join(' | ')} |`);
  }
  return lines.join('\n');
}

const KEYS = {
  depth: ['layers'],
  'depth, trained longer': ['layers'],
  'depth without normalisation': ['layers'],
  noise: ['deviation'],
  initial: ['factor'],
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string', default: '3' } },
});
const lines = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8').trim().split('\n') : [];
/** The measurements by claim; the file has a line for each. */
const results = new Map(lines.map((line) => JSON.parse(line)).map((one) => [one.claim, one]));
const unknown = positionals.find((name) => name !== 'print' && !Object.hasOwn(CLAIMS, name));
if (unknown !== undefined)
  throw new Error(`'${unknown}' is not a claim; name ${Object.keys(CLAIMS).join(', ')}`);
if (!positionals.includes('print')) {
  if (!existsSync(FASHION)) throw new Error("install Debian's package dataset-fashion-mnist");
  for (const name of positionals.length === 0 ? Object.keys(CLAIMS) : positionals) {
    const start = performance.now();
    const { setting, rows } = await CLAIMS[name](Number(values.seeds));
    const seconds = Math.round((performance.now() - start) / 1000);
    results.set(name, {
      claim: name,
      ...setting,
      test: TEST_IMAGES,
      seeds: Number(values.seeds),
      seconds,
      rows,
    });
    writeFileSync(RESULTS, [...results.values()].map((one) => `${JSON.stringify(one)}\n`).join(''));
  }
}
for (const [name, { rows }] of results) {
  console.log(`\n${name}\n\n${table(rows, KEYS[name])}`);
  if (name === 'noise') console.log(`\n${name}, loss\n\n${lossTable(rows, 'deviation')}`);
}
