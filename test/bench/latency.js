// Compares the p50 that `validate` reports on the CPU with a plain loop in Python (latency.py), in turns, at one thread and at
// ONNX Runtime's own number. Both without spinning. Needs Python with onnxruntime of the same version: PYTHON=… node
// test/bench/latency.js [SECONDS]. Prints ours ÷ Python's; the median of ROUNDS rounds.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { swap } from '../../dist/index.js';
import { validateFiles } from '../../dist/node/validate.js';
import { plainTable } from '../../dist/render/terminal.js';

const seconds = Number(process.argv[2] ?? 3);
const ROUNDS = 3;
const python = process.env.PYTHON ?? 'python3';
const script = fileURLToPath(new URL('latency.py', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-latency-'));
const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const models = process.argv.slice(3);
if (models.length === 0) models.push('models/lenet5.onnx', 'models/resnet20.onnx', 'models/mobilenet.onnx');
const rows = [];
try {
  for (const original of models) {
    const swapped = join(folder, 'swapped.onnx');
    const { output } = await swap(readFileSync(original), { form: 'exp' });
    writeFileSync(swapped, await output.bytes());
    for (const threads of [1, undefined]) {
      const found = [];
      let version = '';
      for (let round = 0; round < ROUNDS; round++) {
        const latency = { minSeconds: 2 * seconds, maxSeconds: 2 * seconds };
        const report = await validateFiles(original, swapped, { runs: 1, latency, session: { threads } });
        const [row] = report.providers;
        const said = execFileSync(python, [script, seconds, threads ?? 0, original, swapped], {
          encoding: 'utf8',
        });
        const [theirs, ...medians] = said.trim().split(' ');
        version = `${row.runtime.version}, Python ${theirs}`;
        const ours = [row.latency.original.p50, row.latency.swapped.p50];
        found.push(ours.map((ms, at) => ({ ms, theirs: Number(medians[at]) })));
      }
      for (const [at, name] of ['original', 'swapped'].entries()) {
        const ratios = found.map((round) => round[at].ms / round[at].theirs);
        const { ms, theirs } = found.at(-1)[at];
        rows.push([
          original,
          name,
          threads ?? 'default',
          ms.toFixed(3),
          theirs.toFixed(3),
          middle(ratios).toFixed(3),
          version,
        ]);
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(
  plainTable(['model', '', 'threads', 'ours, ms', 'Python, ms', 'ours ÷ Python', 'versions'], rows),
);
