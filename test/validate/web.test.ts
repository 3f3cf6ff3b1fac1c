import { describe, expect, test } from 'vitest';
import { FORMS, type FormName } from '../../src/mish/forms.js';
import { swap } from '../../src/mish/swap.js';
import { bytesCandidate, fileCandidate, validateFiles } from '../../src/node/validate-files.js';
import type { ProviderRow } from '../../src/validate/report-schema.js';
import { classifier, FEATURES } from '../support/classified.js';
import { tempFolder } from '../support/folder.js';
import { HEAVY_ONLY, isHeavy } from '../support/heavy.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { needs } from '../support/needs.js';
import { modelPath } from '../support/workbench-page.js';

/** WebGPU compiles for ten seconds on a software GPU, so it runs a small net by default, in the form that is meant for it. */
const providersFor = (form: FormName) => [
  ...['wasm', 'webgl'],
  ...(isHeavy && form === 'softplus' ? ['webgpu'] : []),
];

/** Real models that every provider runs: five of one architecture, so one stands for them unless `npm run test:heavy` runs. */
const EVERYWHERE = isHeavy
  ? (['alexa', 'mycroft', 'rhasspy', 'timer', 'weather'] as const)
  : (['alexa'] as const);

async function rows(path: string, form: FormName, providers = providersFor(form), shapes = {}) {
  const { output } = await swap(bytesOf(path), { form });
  const swapped = await bytesCandidate(await output.bytes(), 'swapped');
  const report = await validateFiles(await fileCandidate(path), swapped, {
    providers,
    shapes,
    runs: 2,
    latency: { minPairs: 3, minSeconds: 0, warmup: 1 },
  });
  const verdicts = (provider: string) => report.verdicts.filter((verdict) => verdict.provider === provider);
  return report.providers.map((row) => ({ row, verdicts: verdicts(row.provider) }));
}

const FITTING = Object.keys(FORMS).filter((form) => form !== 'native') as FormName[]; // their opsets are older
/** By default an exact form, which WebGL gets as another, and an approximate one stand for all. */
const CHECKED = FITTING.filter(
  (form) => isHeavy || form === 'softplus' || form === FITTING.find((one) => FORMS[one].bound),
);

describe.each(EVERYWHERE)('%s in the browser', (name) => {
  test.each(CHECKED)('in the %s form is right on every provider', async (form) => {
    for (const one of await rows(REAL_MODELS[name], form)) {
      expectRight(one, form);
      if (one.row.provider === 'webgl') expect(one.row.notes.join()).toMatch(/microsoft\/onnxruntime#32241/);
    }
  });
});

test('a small net in the softplus form is right on WebGPU', async () => {
  // Each kernel is compiled by a software GPU, so a dense layer stands for a net by default.
  const [path, shapes] = isHeavy
    ? [modelPath('mlp.onnx'), { images: [1, 1, 28, 28] }]
    : [await (await tempFolder()).write('m.onnx', classifier()), { x: [1, FEATURES] }];
  const found = await rows(path, 'softplus', ['webgpu'], shapes);
  expect(found).toHaveLength(1);
  for (const one of found) expectRight(one, 'softplus');
});

/** Checks one provider's row, and the verdicts on it. */
function expectRight({ row, verdicts }: Awaited<ReturnType<typeof rows>>[number], form: FormName): void {
  const { provider } = row;
  expect({ provider, status: row.status, reason: row.reason }).toEqual({
    provider,
    status: 'ran',
    reason: null,
  });
  expect(row.parity?.swapped[0]?.n).toBeGreaterThan(0);
  for (const verdict of verdicts) expect(verdict).toMatchObject({ passed: true });
  expect(verdicts.map(({ threshold }) => threshold)).toEqual([
    'maxParity',
    'maxOriginalParity',
    'maxKernelError',
  ]);
  expect(row.latency?.n).toBe(3);
  const isRewritten = provider === 'webgl' && form !== 'exp' && FORMS[form].bound === undefined;
  expect(row.retargeted).toBe(isRewritten ? 'exp' : null);
  expect(formsOf(row)).toEqual([row.retargeted ?? form]);
  if (provider === 'webgpu') expect(row.placement?.swapped.counts).toHaveProperty('WebGpuExecutionProvider');
}

function formsOf({ kernel }: ProviderRow) {
  return kernel.filter(({ kind }) => kind === 'mish').map(({ form }) => form);
}

describe('a second convolutional net', () => {
  needs(isHeavy, HEAVY_ONLY);

  test.each([
    ['WASM', ['wasm'], FITTING],
    // Dozens of kernels, which a software GPU compiles.
    ['WebGPU, in the softplus form', ['webgpu'], ['softplus']],
  ] as const)('is right on %s', async (_, providers, forms) => {
    const shapes = { x: [1, 3, 48, 64] };
    const found = [];
    for (const form of forms)
      found.push(...(await rows(REAL_MODELS.classifier, form, [...providers], shapes)));
    expect(found).toHaveLength(forms.length);
    for (const { row, verdicts } of found) {
      expect({ status: row.status, reason: row.reason }).toEqual({ status: 'ran', reason: null });
      for (const verdict of verdicts) expect(verdict).toMatchObject({ passed: true });
    }
  });
});
