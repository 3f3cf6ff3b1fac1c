// `npm run bench:layers -- MODEL SWAPPED`: CPU time and peak memory of `onnx-mish validate --per-layer`, beside a plain script
// with Python's onnx, onnxruntime and NumPy (layers.py), in turns, medians. Without the table of latencies, and on one sample.
// Options: --rounds N (5); PYTHON names the interpreter. Needs Linux or macOS for the memory.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { plainTable } from '../../dist/render/terminal.js';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string' } },
  allowPositionals: true,
});
const rounds = Number(values.rounds ?? 5);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-layers-'));
const usage = join(folder, 'usage.json');
/** To reach. */
const MAX = { seconds: 5, mib: 600 };

function run(program, args) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, USAGE_FILE: usage },
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

function ours() {
  const args = ['validate', ...positionals, '--per-layer', '--no-latency', '--samples', '1'];
  run(process.execPath, ['--import', here('../support/peak.js'), here('../../dist/bin/main.cjs'), ...args]);
  const { cpu, peak } = JSON.parse(readFileSync(usage, 'utf8'));
  return { cpu, peak };
}

function theirs() {
  const [compared, cpu, peak] = run(process.env.PYTHON ?? 'python3', [here('layers.py'), ...positionals])
    .trim()
    .split(' ')
    .map(Number);
  return { compared, cpu, peak };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const verdict = (reached) => (reached ? 'reached' : 'NOT reached');

try {
  const pairs = Array.from({ length: rounds }, () => [ours(), theirs()]);
  const [one, other] = [0, 1].map((at) => ({
    cpu: median(pairs.map((pair) => pair[at].cpu)),
    peak: median(pairs.map((pair) => pair[at].peak)),
  }));
  const cells = ({ cpu, peak }) => [cpu.toFixed(2), peak.toFixed(0)];
  console.log(
    plainTable(
      [`median of ${rounds}`, 'CPU s', 'peak MiB'],
      [
        ['validate --per-layer', ...cells(one)],
        [`plain script, ${pairs[0][1].compared} tensors`, ...cells(other)],
      ],
      1,
    ),
  );
  console.log(`
To reach on ResNet-50
  at most ${MAX.seconds} s of CPU time: ${verdict(one.cpu <= MAX.seconds)} (${one.cpu.toFixed(2)})
  at most ${MAX.mib} MiB peak: ${verdict(one.peak <= MAX.mib)} (${one.peak.toFixed(0)})`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
