// `npm run bench:swap`: whole-process wall time and peak memory of `onnx-mish swap`, beside `cp`, beside a
// plain protobufjs decode-edit-encode and beside Python's onnx load-edit-save, in turns, medians.
// Options: a number is the rounds (5); --size MB is the size of the big model (500).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plainTable } from '../../dist/render/terminal.js';
import { writeModel } from './big-model.js';

const rounds = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 5);
const megabytes = Number(process.argv[process.argv.indexOf('--size') + 1] || 500) || 500;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-bench-'));
const cli = here('../../dist/bin/main.cjs');

const time = existsSync('/usr/bin/time');
const python = spawnSync('python3', ['-c', 'import onnx'], { stdio: 'ignore' }).status === 0;
const shell = process.platform === 'win32' ? undefined : 'sh';

/** Milliseconds and peak MiB of one process; the peak only where GNU time is installed. */
function measure(command, output) {
  rmSync(output, { force: true });
  const stats = join(folder, 'stats');
  const [program, ...rest] = time ? ['/usr/bin/time', '-f', '%M', '-o', stats, ...command] : command;
  const start = performance.now();
  const { status, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${command.join(' ')} failed: ${stderr}`);
  return {
    ms,
    mib: time ? Number(readFileSync(stats, 'utf8').trim().split('\n').at(-1)) / 1024 : Number.NaN,
  };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** All commands in turns; the median of each, with ratios to the first. */
function compare(title, commands, output) {
  const runs = commands.map(() => []);
  for (let round = -1; round < rounds; round++) {
    commands.forEach(([, command], index) => {
      const run = measure(command, output);
      if (round >= 0) runs[index].push(run); // the first round warms the file cache
    });
  }
  const results = runs.map((list) => ({
    ms: median(list.map(({ ms }) => ms)),
    mib: median(list.map(({ mib }) => mib)),
  }));
  const rows = commands.map(([label], index) => {
    const { ms, mib } = results[index];
    return [
      label,
      ms.toFixed(0),
      `${(ms / results[0].ms).toFixed(2)} ×`,
      Number.isNaN(mib) ? '–' : mib.toFixed(0),
    ];
  });
  console.log(
    `\n${title} (median of ${rounds}, in turns)\n${plainTable(['', 'ms', 'of the first', 'peak MiB'], rows)}`,
  );
  return results;
}

const verdict = (reached) => (reached ? 'reached' : 'NOT reached');

try {
  const width = Math.round(Math.sqrt((megabytes * 1e6) / 4 / 100));
  const [big, small, output] = ['big.onnx', 'small.onnx', 'out.onnx'].map((name) => join(folder, name));
  writeModel(big, 100, width);
  writeModel(small, 10, 8);
  const swap = (input) => [process.execPath, cli, 'swap', input, '-o', output];
  const others = [
    ...(shell === undefined
      ? []
      : [['cp, then sync of the file', ['sh', '-c', `cp "${big}" "${output}" && sync "${output}"`]]]),
    ['protobufjs: decode, edit, encode', [process.execPath, here('./swap-protobufjs.js'), big, output]],
    ...(python ? [['Python onnx: load, edit, save', ['python3', here('./swap-onnx.py'), big, output]]] : []),
  ];
  const [cp, ours] = compare(
    `${(statSync(big).size / 1e6).toFixed(0)} MB model, 100 Relu`,
    [['cp', ['cp', big, output]], ['onnx-mish swap', swap(big)], ...others],
    output,
  );
  if (!python) console.log('Python onnx: not measured, since python3 with onnx is not installed');
  const [node, little] = compare(
    `${(statSync(small).size / 1e3).toFixed(0)} kB model, 10 Relu`,
    [
      ['node -e 0', [process.execPath, '-e', '0']],
      ['onnx-mish swap', swap(small)],
    ],
    output,
  );
  console.log(`
To reach
  at most 1.5 × cp in time: ${verdict(ours.ms <= 1.5 * cp.ms)} (${(ours.ms / cp.ms).toFixed(2)}; cp does not flush to disk, swap does)
  at most 90 MiB peak: ${Number.isNaN(ours.mib) ? 'not measured (GNU time is not installed)' : `${verdict(ours.mib <= 90)} (${ours.mib.toFixed(0)})`}
  a small model in at most 1.8 × node -e 0: ${verdict(little.ms <= 1.8 * node.ms)} (${(little.ms / node.ms).toFixed(2)})`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
