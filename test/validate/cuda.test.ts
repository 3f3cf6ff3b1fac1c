import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { FORMS, type FormName } from '../../src/mish/forms.js';
import { swap } from '../../src/mish/swap.js';
import { bytesCandidate, fileCandidate, validateFiles } from '../../src/node/validate-files.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { sweep } from '../../src/validate/kernel-sweep.js';
import { toleranceFor } from '../../src/validate/tolerance.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';

const cuda = nodeProvider('cuda');

/** Why nothing runs on CUDA here; undefined where it does. */
async function missing(): Promise<string | undefined> {
  try {
    execFileSync('nvidia-smi', { stdio: 'ignore' });
  } catch {
    return 'there is no GPU: nvidia-smi does not run';
  }
  const availability = await cuda.availability();
  return availability.available ? undefined : `${availability.reason}. ${availability.fix}`;
}

const reason = await missing();

test.for(Object.keys(FORMS) as FormName[])('Mish in the %s form is right on CUDA', async (form, { skip }) => {
  skip(reason !== undefined, reason);
  for (const type of ['f32', 'f16'] as const) {
    const { problem, maxScaled } = await sweep(cuda, { kind: 'mish', form, beta: 1 }, type, 18);
    if (problem !== null) {
      expect(problem).toMatch(/no kernel|could not find an implementation|fallback/i); // says so, and runs nowhere else
      continue;
    }
    expect(maxScaled).toBeLessThan(toleranceFor('cuda', type).kernel);
  }
});

test.for(['embedding', 'classifier'] as const)(
  '%s on CUDA is what it is on the CPU',
  async (name, { skip }) => {
    skip(reason !== undefined, reason);
    const path = REAL_MODELS[name];
    const { output } = await swap(bytesOf(path), { form: 'softplus' });
    const report = await validateFiles(
      await fileCandidate(path),
      await bytesCandidate(await output.bytes(), 'swapped'),
      {
        providers: ['cuda'],
        dims: { unk__314: 1 },
        shapes: name === 'classifier' ? { x: [1, 3, 48, 192] } : {},
        runs: 2,
        latency: { minPairs: 3, minSeconds: 0, warmup: 1 },
        // Shapes are computed on the CPU in any case.
        session: { allowFallback: true },
      },
    );
    const [row] = report.providers;
    expect({ status: row?.status, reason: row?.reason }).toEqual({ status: 'ran', reason: null });
    expect(report.verdicts.length).toBeGreaterThan(0);
    for (const verdict of report.verdicts) expect(verdict).toMatchObject({ passed: true });
    expect(row?.latency?.n).toBe(3);
  },
);
