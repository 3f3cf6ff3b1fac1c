import { describe, expect, test } from 'vitest';
import { cosineRate, rateAt, type Schedule } from '../../src/train/schedule.js';
import reference from './reference/steps.json' with { type: 'json' };

const base = { rate: 0.2, steps: 20 };
const SCHEDULES: Record<keyof typeof reference.schedules, Schedule> = {
  constant: { kind: 'constant', ...base },
  cosine: { kind: 'cosine', ...base },
  step: { kind: 'step', ...base, decaySteps: 7 },
  'cosine, warm-up': { kind: 'cosine', ...base, warmUpSteps: 4 },
  'step, warm-up': { kind: 'step', ...base, warmUpSteps: 4, decaySteps: 7 },
};

describe('schedules equal PyTorch’s', () => {
  test.each(Object.entries(SCHEDULES))('%s', (name, schedule) => {
    const expected = reference.schedules[name as keyof typeof SCHEDULES];
    for (const [at, rate] of expected.entries()) expect(rateAt(schedule, at + 1)).toBeCloseTo(rate, 12);
  });
});

test('a step schedule has three levels unless told otherwise', () => {
  const rates = Array.from({ length: 9 }, (_, at) =>
    rateAt({ kind: 'step', rate: 1, steps: 9, decay: 0.5 }, at + 1),
  );
  expect(rates).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
});

test('the rate falls along a cosine from the top to 0', () => {
  expect(cosineRate(0.4, 1, 10)).toBe(0.4);
  expect(cosineRate(0.4, 6, 10)).toBeCloseTo(0.2, 12);
  expect(cosineRate(0.4, 11, 10)).toBeCloseTo(0, 12);
});
