import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { isHeavy } from '../support/heavy.js';
import { BACKEND_TESTS } from '../support/models.js';
import { NO_BACKEND_TESTS, needs } from '../support/needs.js';
import { run } from '../support/run.js';
import { type Case, casesIn, exampleFor } from './cases.js';
import { checkModel, EXACT_FORMS, type Result, type Swapped } from './check.js';
import { differInProcess } from './determinism.js';
import { onnxProto, summaryBy, summaryOf } from './summary.js';

/**
 * The ONNX backend tests, from Debian's package libonnx-testdata, through all that `npm run conformance` does without
 * Python: the reference of what a swap changes is the float64 Mish of the input, which every one of them with an activation
 * allows, being nothing else; the test that counts them fails when a newer package brings others.
 */
const all: Case[] = BACKEND_TESTS === undefined ? [] : casesIn(BACKEND_TESTS);
/** Those that have an activation, and every so manyth of the others; all of them by `npm run test:heavy`. */
const cases = all.filter(
  ({ path }, index) => isHeavy || index % 16 === 0 || readFileSync(path).includes('Relu'),
);
const python = 'the test suite does without Python';
const [folder, results, swapped]: [string, Result[], Swapped[]] = [
  mkdtempSync(join(tmpdir(), 'onnx-mish-conformance-')),
  [],
  [],
];
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the ONNX backend models', () => {
  needs(cases.length > 0, NO_BACKEND_TESTS);

  test('pass every check', { timeout: 300_000 }, async () => {
    for (const one of cases) {
      const checked = await checkModel(one, { folder, readers: [onnxProto], python });
      results.push(...checked.results);
      swapped.push(...checked.swapped);
    }
    expect(results.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    const passed = (check: string) =>
      results.filter((result) => result.check === check && result.outcome === 'passed').length;
    expect(all.length).toBeGreaterThan(1000);
    for (const check of ['scan', 'byte-identical splice', 'undo', 'read by others'])
      expect(passed(check), check).toBeGreaterThanOrEqual(check === 'undo' ? swapped.length : cases.length);
    const models = new Set(swapped.map(({ path }) => path));
    expect(models.size).toBeGreaterThanOrEqual(8);
    expect(swapped.length).toBeGreaterThan(models.size);
    // Each is one activation, so that the reference is exact for all of them; none is left out for want of Python.
    expect(passed('ONNX Runtime against the reference')).toBe(swapped.length);
    const text = EXACT_FORMS.map((form) => `${passed(`swap, ${form} form`)} as ${form}`);
    console.log(`conformance: ${cases.length} models, ${models.size} with an activation: ${text.join(', ')}`);
  });

  test('come out the same in another process', () => {
    expect(swapped.length).toBeGreaterThan(0);
    expect(differInProcess(swapped)).toEqual([]);
  });

  test('are checked by something that can fail: the original is no Mish', async () => {
    const path = cases.find(({ name }) => name === 'node/test_relu')?.path ?? '';
    const input = exampleFor(path)?.inputs[0];
    if (input === undefined) throw new Error('test_relu has no input');
    const wrong = { path, form: 'exp', sha256: '0', undigested: '0' } as const;
    expect(differInProcess([wrong])).toEqual([wrong]);
    const source = Uint8Array.from(readFileSync(path));
    const { output } = await swap(source);
    expect(summaryOf(await scan(source))).toBe(summaryBy(onnxProto, source));
    expect(summaryOf(await scan(source))).not.toBe(summaryBy(onnxProto, await output.bytes()));
    const [before, after] = [await run(path, { x: input }), await run(await output.bytes(), { x: input })];
    expect(before.y).not.toEqual(after.y);
  });

  test('that calculate with a Relu are left alone: test_range_*_expanded', async () => {
    const arithmetic = results.filter(({ why }) => why === 'activations that stay: arithmetic');
    expect([...new Set(arithmetic.map(({ model }) => model))]).toEqual([
      'node/test_range_float_type_positive_delta_expanded',
      'node/test_range_int32_type_negative_delta_expanded',
    ]);
  });
});
