import { expect, test } from 'vitest';
import { degradationScore, worst } from '../../../src/calibrate/select/degradation.js';
import { driftMeter } from '../../../src/metrics/drift.js';
import type { Tensor } from '../../../src/providers/tensor.js';

const measured = (reference: Tensor, got: Tensor) => {
  const meter = driftMeter('out');
  meter.add(reference, got);
  return meter.result();
};
const scores = (...data: number[]): Tensor => ({
  elemType: 'f32',
  dims: [data.length / 2, 2],
  data: Float32Array.from(data),
});
const texts = (...data: string[]): Tensor => ({ elemType: 'string', dims: [data.length], data });

test('texts that differ count in the agreement only', () => {
  const probabilities = measured(scores(1, 0, 0.4, 0.6), scores(0.9, 0.1, 0.5, 0.5));
  const labels = measured(texts('cat', 'dog'), texts('cat', 'cat'));
  const [alone, beside] = [worst([probabilities]), worst([labels, probabilities])];
  expect(beside).toEqual({ ...alone, agreement: 0.5 });
  const score = degradationScore({ ...beside, top1Drop: null });
  expect(score).toBe(beside.sqnr);
  expect(score).toBeGreaterThan(0);
});
