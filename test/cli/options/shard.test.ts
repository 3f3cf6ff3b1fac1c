import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseShard, shardOf } from '../../../src/cli/options/shard.js';

/** Environments of the `at`-th of `count` machines (from 0), as each scheduler's documentation has them. */
const ENVIRONMENTS: Readonly<Record<string, (at: number, count: number) => Record<string, string>>> = {
  'Slurm, --array=0-n': (at, count) => ({
    ...{ SLURM_ARRAY_TASK_ID: `${at}`, SLURM_ARRAY_TASK_COUNT: `${count}` },
    ...{ SLURM_ARRAY_TASK_MIN: '0', SLURM_ARRAY_TASK_MAX: `${count - 1}`, SLURM_ARRAY_TASK_STEP: '1' },
  }),
  'Slurm, --array=5-n:3': (at, count) => ({
    ...{ SLURM_ARRAY_TASK_ID: `${5 + 3 * at}`, SLURM_ARRAY_TASK_COUNT: `${count}` },
    ...{ SLURM_ARRAY_TASK_MIN: '5', SLURM_ARRAY_TASK_STEP: '3', SLURM_ARRAY_TASK_MAX: `${2 + 3 * count}` },
  }),
  'Cloud Run': (at, count) => ({ CLOUD_RUN_TASK_INDEX: `${at}`, CLOUD_RUN_TASK_COUNT: `${count}` }),
  'AWS Batch': (at, count) => ({ AWS_BATCH_JOB_ARRAY_INDEX: `${at}`, AWS_BATCH_JOB_ARRAY_SIZE: `${count}` }),
  Buildkite: (at, count) => ({ BUILDKITE_PARALLEL_JOB: `${at}`, BUILDKITE_PARALLEL_JOB_COUNT: `${count}` }),
  CircleCI: (at, count) => ({ CIRCLE_NODE_INDEX: `${at}`, CIRCLE_NODE_TOTAL: `${count}` }),
  Azure: (at, count) => ({ SYSTEM_JOBPOSITIONINPHASE: `${at + 1}`, SYSTEM_TOTALJOBSINPHASE: `${count}` }),
  Semaphore: (at, count) => ({ SEMAPHORE_JOB_INDEX: `${at + 1}`, SEMAPHORE_JOB_COUNT: `${count}` }),
  GitLab: (at, count) => ({ CI_NODE_INDEX: `${at + 1}`, CI_NODE_TOTAL: `${count}` }),
};

/** Whether parts of an array that counts from 0 look as a whole one that counts from 1 does. */
const looksWhole = (first: number, parts: readonly number[], isStated: boolean) =>
  !isStated && first === 0 && parts[0] === 1 && parts.at(-1) === parts.length;

/** An array that begins at 5 says that it is whole. */
const stated = (name: string, count: number) => (name.includes('=5') ? `auto/${count}` : 'auto');

describe('--shard auto', () => {
  test.each(Object.entries(ENVIRONMENTS))('deals out everything once on %s', (name, environment) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(20), (count, items) => {
        const all = Array.from({ length: items }, (_, index) => index);
        const parts = Array.from({ length: count }, (_, at) =>
          shardOf(all, parseShard(stated(name, count), environment(at, count))),
        );
        expect(parts.flat().toSorted((a, b) => a - b)).toEqual(all);
        expect(Math.max(...parts.map(({ length }) => length))).toBe(Math.ceil(items / count));
      }),
      { seed: 18, numRuns: 40 },
    );
  });

  test('of a Slurm array for some parts of another one gives the parts of that one, or is refused', () => {
    const array = fc.record({
      first: fc.constantFrom(0, 1),
      count: fc.integer({ min: 1, max: 6 }),
      chosen: fc.uniqueArray(fc.nat(5), { minLength: 1 }),
      isStated: fc.boolean(),
    });
    fc.assert(
      fc.property(array, ({ first, count, chosen, isStated }) => {
        const parts = chosen.filter((part) => part < count).toSorted((a, b) => a - b);
        for (const part of parts) {
          // What `sbatch --array=2,4` sets.
          const environment = {
            ...{ SLURM_ARRAY_TASK_ID: `${first + part}`, SLURM_ARRAY_TASK_COUNT: `${parts.length}` },
            ...{ SLURM_ARRAY_TASK_MIN: `${first + (parts[0] ?? 0)}`, SLURM_ARRAY_TASK_STEP: '1' },
            SLURM_ARRAY_TASK_MAX: `${first + (parts.at(-1) ?? 0)}`,
          };
          const given = isStated ? `auto/${count}` : 'auto';
          const isWhole = parts.length === count;
          // Without a number of parts, 1 to 2 of 5 look as a whole array does.
          if (
            isWhole ||
            (!isStated && parts.at(-1) === parts.length - 1) ||
            looksWhole(first, parts, isStated)
          )
            continue;
          expect(() => parseShard(given, environment), JSON.stringify(environment)).toThrow('part/parts');
        }
      }),
      { seed: 17, numRuns: 300 },
    );
  });

  test.each(Object.entries(ENVIRONMENTS).filter(([name]) => !name.startsWith('Slurm')))(
    'refuses another number of parts than %s has, since nothing would do the others',
    (_, environment) => {
      const parts = fc.integer({ min: 1, max: 9 });
      fc.assert(
        fc.property(parts, parts, fc.nat(8), (count, stated, at) => {
          const parse = () => parseShard(`auto/${stated}`, environment(at % count, count));
          if (stated === count) expect(parse()).toEqual({ index: (at % count) + 1, count });
          else expect(parse).toThrow(/ is \d, (not \d\. Write auto|which is outside)/);
        }),
        { seed: 19, numRuns: 40 },
      );
    },
  );

  test('needs the number of parts on Kubernetes, because an Indexed Job does not give it', () => {
    expect(parseShard('auto/5', { JOB_COMPLETION_INDEX: '4' })).toEqual({ index: 5, count: 5 });
    expect(() => parseShard('auto', { JOB_COMPLETION_INDEX: '4' })).toThrow(
      'Kubernetes does not tell the number of parts. Write it: auto/5.',
    );
    expect(() => parseShard('auto/4', { JOB_COMPLETION_INDEX: '4' })).toThrow(
      'JOB_COMPLETION_INDEX of Kubernetes is 4, which is outside of 4 parts from 0 on.',
    );
  });

  test('takes everything in a GitLab job that does not run in parallel', () => {
    expect(parseShard('auto', { CI_NODE_TOTAL: '1' })).toEqual({ index: 1, count: 1 });
    expect(() => parseShard('auto', { CI_NODE_TOTAL: '2' })).toThrow('no part of a job array');
  });

  test.each([
    [{}, 'The environment has no part of a job array'],
    [{ SLURM_ARRAY_TASK_ID: '' }, 'The environment has no part of a job array'],
    [{ SLURM_ARRAY_TASK_ID: '3' }, 'SLURM_ARRAY_TASK_COUNT is not set'],
    [
      { CIRCLE_NODE_INDEX: 'x', CIRCLE_NODE_TOTAL: '3' },
      "CIRCLE_NODE_INDEX of CircleCI is not a whole number: 'x'",
    ],
    [{ CIRCLE_NODE_INDEX: '3', CIRCLE_NODE_TOTAL: '3' }, 'which is outside of 3 parts from 0 on'],
    [
      { SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_COUNT: '2', SLURM_ARRAY_TASK_STEP: '2' },
      'is outside of 2 parts',
    ],
    [
      { SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_COUNT: '2', SLURM_ARRAY_TASK_STEP: '0' },
      'is outside of 2 parts',
    ],
  ])('refuses the environment %j', (environment: Record<string, string>, message) => {
    expect(() => parseShard('auto', environment)).toThrow(message);
  });
});

test.each(['0/5', '6/5', '2', 'auto/', 'auto/x', '', '1/1e3', '-1/5', '1/5/2'])('refuses %j', (text) => {
  expect(() => parseShard(text, { CI_NODE_TOTAL: '3' })).toThrow();
});
