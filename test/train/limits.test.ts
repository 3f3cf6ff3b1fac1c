import { expect, test } from 'vitest';
import type { OptimizerOptions } from '../../src/train/graph-optimizers.js';
import { resolveSettings, type TrainerSettings } from '../../src/train/trainer-options.js';

/** A number of a setting: values that can be used, and values that cannot. */
interface Limited {
  readonly what: string;
  readonly of: (value: number) => TrainerSettings;
  readonly good: readonly number[];
  readonly bad: readonly number[];
}

const withOptimizer = (options: OptimizerOptions, rate?: number): TrainerSettings => ({
  ...{ optimizer: options, rate },
});
const BROKEN = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -1];

const LIMITED: readonly Limited[] = [
  {
    ...{ what: 'the label smoothing', good: [0, 0.1, 0.999], bad: [1, 1.5, -0.1] },
    of: (labelSmoothing) => ({ labelSmoothing }),
  },
  ...(['sgd', 'rmsprop'] as const).map((kind) => ({
    ...{ what: 'the momentum', good: [0, 0.9, 0.999], bad: [1, 2, -0.9] },
    of: (momentum: number) => withOptimizer({ kind, momentum }),
  })),
  { what: 'the learning rate', good: [1e-9, 1, 1000], bad: [0, 1001, 1e6], of: (rate) => ({ rate }) },
  { what: 'the warm-up', good: [0, 1, 3], bad: [3.1, -1], of: (warmUp) => ({ warmUp, epochs: 3 }) },
  ...(['sgd', 'adamw'] as const).map((kind) => ({
    ...{ what: 'the weight decay', good: [0, 0.5, 9.9], bad: [10, 999, 1001] },
    of: (weightDecay: number) => withOptimizer({ kind, weightDecay }, 0.1),
  })),
  {
    ...{ what: 'the weight decay', good: [0, 5, 1000], bad: [1001] },
    of: (weightDecay) => withOptimizer({ kind: 'rmsprop', weightDecay }, 0.1),
  },
  {
    ...{ what: 'the maximum norm of the gradients', good: [1e-6, 1, 1e6], bad: [0] },
    of: (maxGradientNorm) => ({ maxGradientNorm }),
  },
  {
    ...{ what: 'the alpha of RMSProp', good: [0, 0.99], bad: [1, 1.5] },
    of: (alpha) => withOptimizer({ kind: 'rmsprop', alpha }),
  },
  ...(['adam', 'adamw'] as const).flatMap((kind): Limited[] => [
    {
      ...{ what: 'a beta of Adam', good: [0, 0.999], bad: [1, 1.5] },
      of: (beta) => withOptimizer({ kind, betas: [0.9, beta] }),
    },
    {
      ...{ what: 'the epsilon of Adam', good: [1e-8, 1], bad: [0] },
      of: (epsilon) => withOptimizer({ kind, epsilon }),
    },
  ]),
  {
    ...{ what: 'the factor of a decay', good: [0, 0.1, 1], bad: [1.1, -0.1] },
    of: (decay) => ({ schedule: 'step', decay }),
  },
  { what: 'the number of epochs', good: [1, 50], bad: [0, 1.5], of: (epochs) => ({ epochs }) },
  { what: 'the batch size', good: [1, 64], bad: [0, 1.5], of: (batch) => ({ batch }) },
  { what: 'the patience', good: [1, 9], bad: [0, 0.5], of: (patience) => ({ patience }) },
];

test.each(LIMITED)('$what is refused where it cannot work, with its value', ({ what, of, good, bad }) => {
  for (const value of good) expect(() => resolveSettings(of(value)), String(value)).not.toThrow();
  for (const value of [...bad, ...BROKEN]) {
    const expected = expect.objectContaining({
      code: 'bad-usage',
      what: expect.stringMatching(new RegExp(`^${what}.* must be .*, got ${value}`)),
    });
    expect(() => resolveSettings(of(value)), String(value)).toThrow(expected);
  }
});

test.each([
  ['loss', (name: string) => ({ loss: name })],
  ['optimizer', (name: string) => ({ optimizer: { kind: name } })],
  ['schedule', (name: string) => ({ schedule: name })],
  ['batchNorm', (name: string) => ({ batchNorm: name })],
  ['keep', (name: string) => ({ keep: name })],
] as const)('a name that %s does not have is refused, with those that it has', (setting, of) => {
  for (const name of ['', 'linear', 'toString', 'freeze']) {
    const settings = of(name) as TrainerSettings;
    expect(() => resolveSettings(settings)).toThrow(
      expect.objectContaining({
        code: 'bad-usage',
        what: `'${name}' is not a valid value of ${setting}`,
        fix: expect.stringMatching(/^Use \w/),
      }),
    );
  }
});

test('label smoothing and an ignored label are refused for a loss without labels', () => {
  for (const loss of ['bce', 'mse'] as const) {
    expect(() => resolveSettings({ loss, labelSmoothing: 0.1 })).toThrow(
      `the loss ${loss} has no labels to smooth`,
    );
    expect(() => resolveSettings({ loss, ignoreLabel: 255 })).toThrow(
      `the loss ${loss} has no labels to ignore`,
    );
    expect(() => resolveSettings({ loss, labelSmoothing: 0 })).not.toThrow();
  }
});
