// `npm run bench:scale`: time and peak memory of `onnx-mish swap`, the whole process, by nodes and by bytes, each with the
// exponent that fits: log time against log size, what is there without that size taken off, from where it is not nearly all.
// By bytes, a plain copy of the same file (read and write in a loop, then fsync) stands beside each, since what a byte costs is
// the system's affair: a virtual machine that gives free memory back to its host pays again for what it takes. The time
// without the kernel's (user) is the program's own.
// Options: --rounds N (3; the quickest counts, since others were disturbed, and the highest peak); --nodes N (1000000) and
// --bytes N (4000000000), the largest. Needs twice the bytes on the disk.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { plainTable } from '../../dist/render/terminal.js';
import { writeLargeModel } from '../support/large-model.js';

const text = { type: 'string' };
const { values: given } = parseArgs({ options: { rounds: text, nodes: text, bytes: text } });
const rounds = Number(given.rounds ?? 3);
const upTo = (sizes, most) => sizes.filter((size) => size <= most);
const NODES = upTo([1e3, 1e4, 1e5, 1e6], Number(given.nodes ?? 1e6));
const BYTES = upTo([1e6, 1e7, 1e8, 5e8, 1e9, 2e9, 4e9], Number(given.bytes ?? 4e9));
/** To reach. */
const MOST = { exponent: 1.05, mib: (nodes) => 90 + (600 * nodes) / 2 ** 20 };

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-scale-'));
const [input, output, usage] = ['in.onnx', 'out.onnx', 'usage.json'].map((name) => join(folder, name));

/** One swap in a process of its own. */
function run() {
  rmSync(output, { force: true });
  const start = performance.now();
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', here('../support/peak.js'), here('../../dist/bin/main.cjs'), 'swap', input, '-o', output],
    { encoding: 'utf8', env: { ...process.env, USAGE_FILE: usage } },
  );
  if (status !== 0) throw new Error(stderr);
  return { wall: (performance.now() - start) / 1e3, ...JSON.parse(readFileSync(usage, 'utf8')) };
}

/** Seconds that a plain copy takes. */
function copy() {
  rmSync(output, { force: true });
  const start = performance.now();
  const [from, to] = [openSync(input, 'r'), openSync(output, 'wx')];
  const block = new Uint8Array(2 ** 21);
  for (let read = readSync(from, block); read > 0; read = readSync(from, block)) {
    for (let done = 0; done < read; ) done += writeSync(to, block, done, read - done);
  }
  fsyncSync(to);
  for (const file of [from, to]) closeSync(file);
  return (performance.now() - start) / 1e3;
}

function measure(model) {
  writeLargeModel(input, { dense: true, ...model });
  const runs = Array.from({ length: rounds }, () => ({ copy: copy(), ...run() }));
  const of = (key) => Math.min(...runs.map((one) => one[key]));
  const bytes = statSync(input).size;
  return {
    nodes: model.nodes,
    bytes,
    wall: of('wall'),
    cpu: of('cpu'),
    user: of('user'),
    copy: of('copy'),
    peak: Math.max(...runs.map(({ peak }) => peak)),
  };
}

/** The slope of the line through the logarithms, by least squares. */
function exponent(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => Math.log(point[axis])));
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const [x, y] = [mean(xs), mean(ys)];
  const over = xs.reduce((sum, at, index) => sum + (at - x) * (ys[index] - y), 0);
  return over / xs.reduce((sum, at) => sum + (at - x) ** 2, 0);
}

const reached = (is) => (is ? 'reached' : 'NOT reached');
const integer = (number) => number.toLocaleString('en-US');

function report(title, size, results, start) {
  const rows = results.map((one) => [
    integer(one.nodes),
    integer(one.bytes),
    one.wall.toFixed(2),
    one.cpu.toFixed(2),
    one.user.toFixed(2),
    one.copy.toFixed(2),
    one.peak.toFixed(0),
    `${MOST.mib(one.nodes).toFixed(0)} ${reached(one.peak <= MOST.mib(one.nodes))}`,
  ]);
  const head = ['nodes', 'bytes', 's', 'CPU s', 'of it user', 'copy s', 'peak MiB', 'to reach'];
  console.log(`\n${title} (the quickest of ${rounds}, the highest peak)\n${plainTable(head, rows)}`);
  for (const [label, key] of [
    ['time', 'wall'],
    ['CPU time', 'cpu'],
    ['CPU time without the kernel’s', 'user'],
    ...(size === 'bytes' ? [['a copy’s time', 'copy']] : []),
  ]) {
    const points = results.map((one) => [one[size], one[key] - (key === 'copy' ? 0 : start[key])]);
    const telling = points.filter((_, index) => results[index].wall > 1.5 * start.wall);
    if (telling.length < 2) {
      console.log(`${label}: too little to fit`);
      continue;
    }
    const fit = exponent(telling);
    const verdict = key === 'copy' ? '' : `; at most ${MOST.exponent}: ${reached(fit <= MOST.exponent)}`;
    console.log(`${label} grows with the ${fit.toFixed(2)}th power${verdict}`);
  }
}

try {
  const start = measure({ nodes: 10 });
  console.log(`start-up: ${start.wall.toFixed(2)} s, ${start.cpu.toFixed(2)} s of CPU time`);
  const byNodes = NODES.map((nodes) => measure({ nodes }));
  report('By nodes, a tenth of them Relu', 'nodes', byNodes, start);
  const byBytes = BYTES.map((weights) => measure({ nodes: 1000, weights }));
  report('By bytes, with 1,000 nodes', 'bytes', byBytes, measure({ nodes: 1000 }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
