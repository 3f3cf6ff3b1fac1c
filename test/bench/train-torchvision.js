// `npm run bench:train:torchvision`: milliseconds of a training step of torchvision's classifiers, ours and PyTorch's in turns in one
// run, the quickest of each, in CPU time of one thread. PYTHON names a Python with torch, torchvision and onnx (python3). Weights are
// new, RMSProp, batch normalisation in training mode. Nets without a ReLU, such as ViT, have no Mish row.
// Options: --nets A,B, --acts relu,mish, --batch 8, --side 96, --rounds 4.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { askPython } from './ask-python.js';
import { openStep } from './train-step.js';

const NETS =
  'resnet18,mobilenet_v2,mobilenet_v3_small,efficientnet_b0,shufflenet_v2_x1_0,squeezenet1_1,densenet121,regnet_y_400mf,mnasnet0_5,convnext_tiny,swin_t';
const { values: given } = parseArgs({
  options: {
    nets: { type: 'string', default: NETS },
    acts: { type: 'string', default: 'relu,mish' },
    batch: { type: 'string', default: '8' },
    side: { type: 'string', default: '96' },
    rounds: { type: 'string', default: '4' },
  },
});
const [batch, side, rounds] = [given.batch, given.side, given.rounds].map(Number);

async function measure(folder, name, act) {
  const path = join(folder, `${name}.onnx`);
  const request = JSON.stringify({ name, act, batch, side, path });
  // It writes the net as an ONNX file, too.
  const { first, ask, close } = await askPython('train-torchvision.py', [request]);
  if (act === 'mish' && first.sites === 0) {
    close();
    return;
  }
  const net = { path, dims: [3, side, side], classes: 10, input: 'input', output: 'output' };
  const batchNorm = first.norms > 0 ? 'train' : 'frozen';
  const ours = await openStep(name, { act, batch, threads: 1, net: { ...net, batchNorm } });
  const best = { ours: Number.POSITIVE_INFINITY, torch: Number.POSITIVE_INFINITY };
  for (let round = 0; round <= rounds; round++) {
    const mine = (await ours.run(2)).times.map(([cpu]) => cpu);
    const theirs = await ask(2);
    if (round === 0) continue;
    best.ours = Math.min(best.ours, ...mine);
    best.torch = Math.min(best.torch, ...theirs);
  }
  const row = { net: name, act, batch, side };
  for (const [who, ms] of Object.entries(best)) row[who] = Number(ms.toPrecision(3));
  console.log(JSON.stringify({ ...row, 'torch/ours': Number((best.torch / best.ours).toFixed(2)) }));
  close();
  await ours.close();
}

const folder = await mkdtemp(join(tmpdir(), 'train-torchvision-'));
try {
  for (const name of given.nets.split(',')) {
    for (const act of given.acts.split(',')) await measure(folder, name, act);
  }
} finally {
  await rm(folder, { recursive: true });
}
