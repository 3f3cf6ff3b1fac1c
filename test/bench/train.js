// `npm run bench:train`: milliseconds of a training step, ours and PyTorch's in turns in one run, the quickest of each. PyTorch
// stands beside ours where a Python with torch and onnx is there: PYTHON names it (python3). One thread: CPU time, which
// other programs disturb little; two threads: time by the clock.
// Options: --quick (ResNet-20 and LeNet-5, batch 64, one thread), --nets A,B --acts relu,mish --batches 16,64 --threads 1,2,
// --rounds N (5), --plain (beside the blocked layout), --before DIST (the gradient steps of an earlier build), --wasm (batch 16
// in WebAssembly), --memory (peak at batch 64), --profile (milliseconds by operator).
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { askPython, python } from './ask-python.js';
import { NETS, openStep } from './train-step.js';

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };
const { values: given } = parseArgs({
  options: {
    ...{ nets: text, acts: text, batches: text, threads: text, rounds: text, before: text },
    ...{ quick: flag, plain: flag, wasm: flag, memory: flag, profile: flag },
  },
});
const list = (value, otherwise) => (value ?? otherwise).split(',');
const nets = list(
  given.nets,
  given.quick || given.memory ? 'lenet5,resnet20,resnet20-bn' : Object.keys(NETS).join(),
);
const acts = list(given.acts, 'relu,mish');
const batches = list(given.batches, given.wasm ? '16' : given.quick || given.memory ? '64' : '16,64,128').map(
  Number,
);
const threads = list(given.threads, given.quick || given.wasm || given.memory ? '1' : '1,2').map(Number);
const rounds = Number(given.rounds ?? 5);

/** PyTorch in a process of its own; undefined where it is not installed. */
async function torchProcess() {
  if (spawnSync(python, ['-c', 'import torch, onnx']).status !== 0) return undefined;
  return askPython('train-torch.py');
}

/** PyTorch's step of a case, with the interface of ours. */
async function torchStep(name, options) {
  const torch = await torchProcess();
  if (torch === undefined) return undefined;
  const { path, batchNorm = 'frozen', dims, classes } = NETS[name];
  const { act, batch, threads, trained, channelsLast } = options;
  const { before } = await torch.ask({
    ...{ open: path, trained, act, batchNorm, channelsLast, threads, classes },
    dims: [batch, ...dims],
  });
  const run = async (steps) => {
    const { times, peak } = await torch.ask({ steps });
    return { times, peak: peak - before };
  };
  return { run, close: torch.close };
}

const quickest = (times, column) => Math.min(...times.map((one) => one[column]));

/** Takes steps of all contestants in turns, and returns the quickest of each in milliseconds. */
async function inTurns(contestants, steps, column) {
  const found = {};
  for (let round = 0; round <= rounds; round++) {
    for (const [name, contestant] of Object.entries(contestants)) {
      const { times } = await contestant.run(round === 0 ? 2 : steps);
      if (round > 0) found[name] = Math.min(found[name] ?? Number.POSITIVE_INFINITY, quickest(times, column));
    }
  }
  return found;
}

async function measure(name, act, batch, threads) {
  const options = { act, batch, threads };
  const contestants = {};
  contestants.ours = await openStep(name, { ...options, wasm: given.wasm });
  if (given.plain) contestants.plain = await openStep(name, { ...options, layout: 'plain' });
  if (given.before !== undefined && NETS[name].batchNorm !== 'train')
    contestants.before = await openStep(name, { ...options, before: given.before });
  const { trained } = contestants.ours;
  for (const channelsLast of [false, true]) {
    if (channelsLast && (name === 'mlp' || given.wasm || given.memory)) continue;
    const torch = await torchStep(name, { ...options, trained, channelsLast });
    if (torch !== undefined) contestants[channelsLast ? 'channelsLast' : 'torch'] = torch;
  }
  const quick = name === 'mlp' || name === 'lenet5';
  if (given.memory) {
    const row = { net: name, act, batch };
    for (const [who, contestant] of Object.entries(contestants))
      row[`${who}MiB`] = Math.round((await contestant.run(4)).peak);
    console.log(JSON.stringify(row));
  } else {
    const found = await inTurns(contestants, quick ? 12 : 2, threads === 1 ? 0 : 1);
    const row = { net: name, act, batch, threads };
    for (const [who, ms] of Object.entries(found)) row[who] = Number(ms.toPrecision(3));
    for (const other of ['torch', 'channelsLast', 'before', 'plain'])
      if (found[other] !== undefined) row[`ours/${other}`] = Number((found[other] / found.ours).toFixed(2));
    console.log(JSON.stringify(row));
  }
  for (const contestant of Object.values(contestants)) await contestant.close();
}

async function profile(name, act, batch) {
  const step = await openStep(name, { act, batch, threads: 1, profile: true });
  await step.run(4);
  const kernels = await step.kernels();
  const byOperator = new Map();
  for (const { op, us } of kernels) byOperator.set(op, (byOperator.get(op) ?? 0) + us / 4e3);
  const sorted = [...byOperator].sort(([, a], [, b]) => b - a).slice(0, 16);
  console.log(name, act, batch, sorted.map(([op, ms]) => `${op} ${ms.toFixed(1)}`).join(', '));
}

/** The peak of a process stays, so that each case needs one of its own. */
function measureApart(name, act) {
  const script = fileURLToPath(import.meta.url);
  spawnSync(process.execPath, [script, '--memory', '--nets', name, '--acts', act], { stdio: 'inherit' });
}

const isMany = given.memory && nets.length * acts.length > 1;
for (const name of nets) {
  for (const act of acts) {
    if (isMany) measureApart(name, act);
    for (const batch of isMany ? [] : batches) {
      if (given.profile) await profile(name, act, batch);
      else for (const count of threads) await measure(name, act, batch, count);
    }
  }
}
