// What `calibrate` keeps of each model: the plain swap, the repair at β = 1, at the default and with --beta auto, on samples that
// calibration never saw, one line of JSON each. `npm run bench:calibrate -- [name ...]`; --methods puts ways to repair beside
// each other, all at β = 1; --no-auto leaves out the last.
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { calibrate } from '../../dist/node/calibrate.js';
import { swapFile } from '../../dist/node/index.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';
import { MODELS } from './calibrate-models.js';

const args = process.argv.slice(2);
const flags = new Set(args.filter((arg) => arg.startsWith('--')));
const names = args.filter((arg) => !arg.startsWith('--'));
const cpu = nodeProvider('cpu');
const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-bench-'));

/** The outputs of a model, one array after the other. */
async function outputsOf(path, feeds) {
  const session = await cpu.open(path);
  const all = [];
  for (const feed of feeds) all.push(...Object.values(await session.run(feed)).map(({ data }) => data));
  await session.close();
  return all;
}

/** Signal to noise over all outputs together, in dB. */
function sqnr(reference, got) {
  let signal = 0;
  let noise = 0;
  for (const [index, want] of reference.entries()) {
    for (let at = 0; at < want.length; at++) {
      signal += want[at] ** 2;
      noise += (want[at] - got[index][at]) ** 2;
    }
  }
  return 10 * Math.log10(signal / noise);
}

/** The highest class of each row of so many. */
function classesOf(outputs, count) {
  return outputs.flatMap((scores) =>
    Array.from({ length: scores.length / count }, (_, row) => {
      const own = scores.subarray(row * count, row * count + count);
      return own.indexOf(Math.max(...own));
    }),
  );
}

const share = (a, b) => (100 * a.filter((one, index) => one === b[index]).length) / a.length;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const printed = (row) => console.log(JSON.stringify(row));

async function measure(model) {
  const why = await model.missing?.();
  if (why !== undefined) return printed({ model: model.name, skipped: why });
  const { feeds, test, labels, judge } = await model.samples();
  const { classes = 0 } = model;
  const original = await outputsOf(model.path, test);
  const truth = classes > 0 && classesOf(original, classes);
  if (labels) printed({ model: model.name, what: 'original', top1: share(truth, labels).toFixed(2) });
  const external = `${model.path}.data`;
  if (existsSync(external)) copyFileSync(external, join(folder, basename(external)));

  const say = async (what, path, report) => {
    const got = await outputsOf(path, test);
    const top = classes > 0 && classesOf(got, classes);
    printed({
      model: model.name,
      what,
      sqnr: sqnr(original, got).toFixed(1),
      ...(labels && { top1: share(top, labels).toFixed(2) }),
      ...(top && { agreement: share(top, truth).toFixed(2) }),
      ...(await judge?.(path)),
      ...(report && { seconds: report.seconds.toFixed(0), kept: report.kept, tuning: report.tuning }),
      ...(report?.sharpness && {
        median: median(report.sites.map(({ beta }) => beta)),
        betas: report.sites.map(({ beta, bends }) => `${beta} (${(100 * bends).toFixed(0)} %)`).join(', '),
        trials: report.sharpness.trials.length,
      }),
      MiB: Math.round(process.resourceUsage().maxRSS / 1024),
    });
  };
  const repaired = async (what, more) => {
    const data = () => ({ source: 'npz', feeds });
    const { output, report } = await calibrate(model.path, { data, form: 'exp', ...model.options, ...more });
    const path = join(folder, basename(model.path));
    writeFileSync(path, await output.bytes());
    await say(what, path, report);
  };
  if (flags.has('--methods')) {
    const solved = { beta: 1, steps: 0 };
    for (const methods of [['bias'], ['affine'], ['least-squares']]) {
      await repaired(methods.join(), { ...solved, methods });
    }
    await repaired('least-squares, symmetric', { ...solved, methods: ['least-squares'], inputs: 'original' });
    await repaired('the best of bias, affine, least-squares', solved);
    return repaired('and gradient steps', { beta: 1 });
  }
  const plain = join(folder, `plain-${basename(model.path)}`);
  await swapFile(model.path, { form: 'exp', output: plain, force: true });
  await say('plain swap', plain);
  await repaired('calibrate, beta 1', { beta: 1 });
  await repaired('calibrate', {});
  if (flags.has('--no-auto')) return;
  const { leaky, budget } = model;
  await repaired(leaky === undefined ? 'beta auto' : 'beta auto, mixture', { beta: 'auto', leaky, budget });
}

try {
  for (const model of MODELS) if (names.length === 0 || names.includes(model.name)) await measure(model);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
