// What `calibrate` at its default keeps of nets that nobody chose it by: top-1 with the paired 95 % interval, agreement, the
// curved shares, seconds and memory. One line of JSON for each net, written as soon as it is measured.
//
//     npm run build && node test/bench/calibrate-nets.js FOLDER [name ...] [--samples 20000] [--beta 1] [any option of calibrate]
//
// FOLDER has the nets and samples that calibrate-nets.py and calibrate-others.py make. The nets of models/ need none of it.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseNpy } from '../../dist/data/npy.js';
import { unzip } from '../../dist/data/npz.js';
import { differenceOfShares } from '../../dist/metrics/paired.js';
import { quantile } from '../../dist/metrics/statistics.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';
import { NETS } from './calibrate-nets-list.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const BATCH = 100;
const DEFAULT_SAMPLES = '20000';
const POLL_MS = 50;

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder that calibrate-nets.py made');
const firstFlag = rest.findIndex((argument) => argument.startsWith('-'));
const names = firstFlag < 0 ? rest : rest.slice(0, firstFlag);
const flags = firstFlag < 0 ? [] : rest.slice(firstFlag);
if (!flags.includes('--samples')) flags.push('--samples', DEFAULT_SAMPLES);

/** Runs the command line; returns its report, and the peak of its memory in MiB as Linux counts it. */
async function calibrated(args) {
  const child = spawn(process.execPath, [join(root, 'dist/bin/main.cjs'), 'calibrate', ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let peak = 0;
  const timer = setInterval(() => {
    const path = `/proc/${child.pid}/status`;
    if (existsSync(path)) peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1] ?? peak);
  }, POLL_MS);
  const [out, err] = ['', ''].map(() => []);
  child.stdout.on('data', (chunk) => out.push(chunk));
  child.stderr.on('data', (chunk) => err.push(chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(Buffer.concat(err).toString());
  return { report: JSON.parse(Buffer.concat(out).toString()), mib: Math.round(peak / 1024) };
}

/** The class of the highest score of each image. */
async function classesOf(path, images) {
  const session = await nodeProvider('cpu').open(path);
  const name = session.inputs[0].name;
  const [count, ...dims] = images.dims;
  const size = images.data.length / count;
  const classes = [];
  for (let at = 0; at < count; at += BATCH) {
    const data = images.data.subarray(at * size, (at + BATCH) * size);
    const run = await session.run({ [name]: { elemType: 'f32', dims: [data.length / size, ...dims], data } });
    const scores = Object.values(run).find(({ elemType }) => elemType === 'f32');
    const width = scores.dims.at(-1);
    for (let row = 0; row < scores.data.length; row += width) {
      const own = scores.data.subarray(row, row + width);
      classes.push(own.indexOf(Math.max(...own)));
    }
  }
  await session.close();
  return classes;
}

async function arrays(path) {
  const files = await unzip(readFileSync(path), path);
  return Object.fromEntries([...files].map(([name, bytes]) => [name, parseNpy(bytes, path)]));
}

const percent = (share) => Number((100 * share).toFixed(2));

async function measure(net, out) {
  const path = net.path ?? join(folder, `${net.name}.onnx`);
  const train = join(folder, `${net.data}-train.npz`);
  if (!existsSync(path)) return { net: net.name, skipped: `${path} is missing` };
  const { images, y } = await arrays(join(folder, `${net.data}-test.npz`));
  const labels = [...y.data].map(Number);
  const { report, mib } = await calibrated([path, '--data', train, '-o', out, '--force', ...flags]);
  const before = await classesOf(path, images);
  const after = await classesOf(out, images);
  const right = (classes) => classes.map((one, at) => (one === labels[at] ? 1 : 0));
  const difference = differenceOfShares(right(after), right(before));
  const share = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const bends = report.sites.map((site) => site.bends).filter((bend) => bend !== null);
  return {
    net: net.name,
    from: net.from,
    ours: net.ours,
    images: labels.length,
    original: percent(share(right(before))),
    top1: percent(share(right(after))),
    points: [difference.value, difference.low, difference.high].map(percent),
    agrees: percent(share(after.map((one, at) => (one === before[at] ? 1 : 0)))),
    reported: report.calibrated.drift.map(({ top1 }) => top1),
    bends: [quantile(bends, 0.5), Math.min(...bends)].map(percent),
    betas: report.sites.map(({ beta }) => beta),
    folded: `${report.curved?.folded.length ?? 0} of ${report.sites.length}`,
    why: [...new Set(report.curved?.kept.map(({ why }) => why))],
    kept: report.kept,
    leaky: report.leaky,
    tuning: report.tuning,
    notes: report.notes,
    seconds: Math.round(report.seconds),
    mib,
  };
}

const out = mkdtempSync(join(tmpdir(), 'onnx-mish-nets-'));
try {
  for (const net of NETS) {
    if (names.length > 0 && !names.includes(net.name)) continue;
    console.log(JSON.stringify(await measure(net, join(out, `${net.name}.onnx`))));
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
