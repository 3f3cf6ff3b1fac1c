import { describe, expect, test } from 'vitest';
import { FORMS, type FormName } from '../../src/mish/forms.js';
import { swap } from '../../src/mish/swap.js';
import { bytesCandidate, fileCandidate, validateFiles } from '../../src/node/validate-files.js';
import type { ProviderRow } from '../../src/validate/report-schema.js';
import { isHeavy } from '../support/heavy.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';

/** WebGPU compiles for seconds on a software GPU, so it runs the form that is meant for it. */
const providersFor = (form: FormName) => ['wasm', 'webgl', ...(form === 'softplus' ? ['webgpu'] : [])];

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

describe.each(EVERYWHERE)('%s in the browser', (name) => {
  test.each(FITTING)('in the %s form is right on every provider', async (form) => {
    for (const { row, verdicts } of await rows(REAL_MODELS[name], form)) {
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
      if (provider === 'webgl') expect(row.notes.join()).toMatch(/microsoft\/onnxruntime#32241/);
      if (provider === 'webgpu')
        expect(row.placement?.swapped.counts).toHaveProperty('WebGpuExecutionProvider');
    }
  });
});

function formsOf({ kernel }: ProviderRow) {
  return kernel.filter(({ kind }) => kind === 'mish').map(({ form }) => form);
}

describe('a convolutional net', () => {
  test.each([
    ['WASM', ['wasm'], isHeavy ? FITTING : FITTING.slice(0, 1)],
    // Half a minute of compiling on a software GPU.
    ...(isHeavy ? [['WebGPU, in the softplus form', ['webgpu'], ['softplus']] as const] : []),
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
