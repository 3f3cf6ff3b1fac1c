import type { ProviderRow, Report } from '../../src/validate/report-schema.js';

/** Names as somebody would choose who wants a report to run a script, break its markup or fill the screen. */
export const HOSTILE_NAMES: readonly string[] = [
  '</script><script>window.hacked = true; alert(1)</script>',
  '"><img src=x onerror="window.hacked = true; alert(1)">',
  "'><svg onload='window.hacked=true;alert(1)'>",
  ']]></system-out><evil/>&amp;&#0;',
  '<!-- --><style>*{background:url(http://example.com/)}</style>',
  'n'.repeat(10_000),
  'a\ud800b\udc00c',
  '\u0000\u0007\u001b[2J\u202egnp.exe\ufffe\uffff',
  '__proto__',
  '',
];

type Timing = NonNullable<ProviderRow['latency']>['original'];

function scaled(timing: Timing, factor: number): Timing {
  const { createMs, firstMs, p50, p90, p99, mean, quantiles } = timing;
  const by = (value: number) => value * factor;
  return {
    ...{ createMs: by(createMs), firstMs: by(firstMs), p50: by(p50), p90: by(p90), p99: by(p99) },
    ...{ mean: by(mean), quantiles: quantiles.map(by) },
  };
}

/** A report of a real run with everything that a report can hold, made up from what the run found. */
export function richReport(real: Report): Report {
  const [cpu] = real.providers;
  if (cpu?.latency == null) throw new Error('the report has no latency');
  const { latency } = cpu;
  const parity = cpu.drift.map((one) => ({ ...one, sqnr: 96.4, maxAbs: 3.1e-6 }));
  const webgl: ProviderRow = {
    ...cpu,
    provider: 'webgl',
    runtime: {
      ...{
        name: 'onnxruntime-web',
        version: '1.30.0',
        browser: 'Chromium 147.0.7727.0',
        threads: 1,
        simd: true,
      },
      ...{ renderer: 'ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)))', software: true },
    },
    notes: [
      'WebGL runs in float32, with highp where the GPU has it.',
      'Two outputs were read back as float32.',
    ],
    retargeted: 'exp',
    placement: {
      original: { counts: { webgl: 40, cpu: 0 }, moved: [] },
      swapped: {
        counts: { webgl: 38, cpu: 2 },
        moved: [{ node: 'Reshape_3', op: 'Reshape', provider: 'cpu' }],
      },
    },
    parting: {
      original: null,
      swapped: { node: 'mish_12', op: 'Mul', output: 'mish_12_out', maxAbs: 0.0021, sqnr: 58.2 },
    },
    kernel: cpu.kernel.map((one) => ({
      ...one,
      maxAbs: 4.2e-5,
      curve: one.curve.map(({ x, abs, ulp }) => ({ x, abs: (abs + 1e-7) * (3 + Math.sin(x)), ulp })),
    })),
    parity: { original: parity, swapped: parity.map((one) => ({ ...one, sqnr: 71.9 })) },
    latency: {
      n: latency.n,
      repeats: 1,
      original: scaled(latency.original, 14),
      swapped: scaled(latency.swapped, 19),
      ratio: { value: 1.36, low: 1.21, high: 1.55 },
    },
  };
  const nothing = { runtime: null, kernel: [], drift: [], parity: null, latency: null };
  const webgpu: ProviderRow = {
    ...{ ...cpu, ...nothing },
    provider: 'webgpu',
    status: 'unavailable',
    reason: 'this browser has no WebGPU adapter',
    fix: 'Start Chrome with --enable-unsafe-webgpu, or name another',
    option: { browser: null },
  };
  const wasm: ProviderRow = {
    ...{ ...cpu, ...nothing },
    provider: 'wasm',
    status: 'failed',
    reason: 'the page ran out of memory',
    fix: null,
  };
  const operators = (factor: number) =>
    ['Conv', 'Mul', 'LeakyRelu', 'Softplus', 'Tanh', 'MaxPool', 'Add', 'ReorderOutput'].map((op, index) => {
      return { op, provider: 'cpu', calls: 19 - index, us: (900 / (index + 1) ** 1.4) * factor };
    });
  const sites = (factor: number) =>
    Array.from({ length: 19 }, (_, index) => {
      return { node: `functional_1/leaky_re_lu_${index}/LeakyRelu`, us: (40 - index) * factor };
    });
  const profile: ProviderRow['profile'] = {
    original: { runs: 20, totalUs: 2100, operators: operators(1), sites: sites(1) },
    swapped: { runs: 20, totalUs: 2900, operators: operators(1.3), sites: sites(2.2) },
    mishUs: 640,
    lostFusionUs: 180,
    forms: [
      { form: 'softplus', us: 3100 },
      { form: 'exp', us: 2900 },
      { form: 'native', us: null },
    ],
  };
  const moments = { mean: 0.1, std: 1.2, min: -3, max: 4 };
  const layerRows = Array.from({ length: 60 }, (_, index) => ({
    ...{ node: `node_${index}`, op: index % 3 === 1 ? 'LeakyRelu' : 'Conv', output: `tensor_${index}` },
    ...{ site: index % 3 === 1, n: 1000, a: moments, b: moments, cosine: 0.99, problem: null },
    maxAbs: index === 0 ? 0 : 0.01 * index,
    sqnr: index === 0 ? null : 40 - index * 0.4 + 6 * Math.sin(index / 2) - (index % 3 === 1 ? 3 : 0),
  }));
  const verdict = { provider: 'webgl', limit: 1e-3, value: 2.2e-4, passed: true, binding: true };
  const accuracy = { output: cpu.drift[0]?.output ?? 'y', original: { n: 500, top1: 0.912, top5: 0.99 } };
  return {
    ...real,
    notes: ['symbolic dimensions without a size are taken as 1: batch', ...real.notes],
    providers: [
      {
        ...cpu,
        profile,
        accuracy: { ...accuracy, swapped: { n: 500, top1: 0.884, top5: 0.981 } },
        expected: parity,
      },
      webgl,
      webgpu,
      wasm,
    ],
    layers: [
      {
        a: { model: 'original', provider: 'cpu' },
        b: { model: 'swapped', provider: 'cpu' },
        rows: layerRows,
      },
    ],
    verdicts: [
      ...real.verdicts,
      { ...verdict, threshold: 'maxParity' },
      { ...verdict, threshold: 'maxOriginalParity', value: 0.7, passed: false, binding: false },
      { ...verdict, threshold: 'minSqnr', limit: 20, value: null, passed: false },
    ],
    passed: false,
  };
}

/** Every text of a report, keys and all, replaced by hostile ones in turns; what a schema fixes stays. */
export function hostileReport(report: Report): Report {
  let turn = 0;
  const next = () => HOSTILE_NAMES[turn++ % HOSTILE_NAMES.length] ?? '';
  const fixed = new Set(['schema', 'status', 'source', 'kind', 'model', 'created', 'threshold']);
  const poison = (value: unknown, key = ''): unknown => {
    if (typeof value === 'string') return fixed.has(key) || value === 'onnx-mish' ? value : next();
    if (Array.isArray(value)) return value.map((item) => poison(item, key));
    if (typeof value !== 'object' || value === null) return value;
    const free = key === 'shapes' || key === 'counts';
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [free ? next() : name, poison(item, name)]),
    );
  };
  return poison(report) as Report;
}
