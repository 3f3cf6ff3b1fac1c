import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { splice } from '../../src/onnx/splice.js';
import { FLOAT_TYPES } from '../../src/onnx/types.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { trainingCopy } from '../../src/train/training-copy.js';
import { casesIn, exampleFor } from '../conformance/cases.js';
import { isHeavy } from '../support/heavy.js';
import { BACKEND_TESTS } from '../support/models.js';
import { NO_BACKEND_TESTS } from '../support/needs.js';
import { run } from '../support/run.js';

/** Models that compute random numbers, types that are not run here, and values that are no tensors. */
const LEFT_OUT = /training_dropout|BFLOAT16|_if_opt|_if_seq|^real/;
/** Models that the smaller size of this test leaves out rarely have what a copy rewrites. */
const LIKELY = /_if|cast|dropout|loop|training|double|expanded/i;

test('a rewritten copy of ONNX’s backend tests gives equal outputs', async ({ skip }) => {
  skip(BACKEND_TESTS === undefined, NO_BACKEND_TESTS);
  let rewritten = 0;
  for (const { name, path } of casesIn(BACKEND_TESTS ?? '')) {
    if (LEFT_OUT.test(name) || !(isHeavy || LIKELY.test(name))) continue;
    const bytes = new Uint8Array(readFileSync(path));
    const original = await modelFromBytes(bytes);
    const { model } = await trainingCopy(original);
    if (model === original) continue;
    rewritten++;
    const isFloat32 = (input: string) =>
      model.document.graph.inputs.find((one) => one.name === input)?.elemType === FLOAT_TYPES.f32;
    const example = exampleFor(path);
    const feeds = original.document.graph.inputs.flatMap(({ name: input }, place) => {
      const given = example?.inputs[place];
      return given === undefined ? [] : [[input, given] as const];
    });
    const before = await run(bytes, Object.fromEntries(feeds));
    const wide = feeds.map(([input, feed]) => {
      return [input, isFloat32(input) ? { ...feed, type: 'f32' as const } : feed] as const;
    });
    const after = await run(await splice(model.document.source, []).bytes(), Object.fromEntries(wide));
    for (const [output, values] of Object.entries(before)) {
      expect(after[output]?.length, name).toBe(values.length);
      for (const [at, value] of values.entries()) {
        const difference = Math.abs(value - Number(after[output]?.[at]));
        if (!Number.isNaN(value) && Math.abs(value) < Number.POSITIVE_INFINITY)
          expect(difference, `${name} ${output}[${at}]`).toBeLessThanOrEqual(1e-2 * (1 + Math.abs(value)));
      }
    }
  }
  expect(rewritten).toBeGreaterThan(10);
});
