import fc from 'fast-check';
import { expect, test } from 'vitest';
import { idleCores } from '../../../src/cli/text/idle-cores.js';

const size = fc.integer({ min: 1, max: 256 });

test('where a note advises threads, all runs with them fit the cores, and one thread more would not', () => {
  fc.assert(
    fc.property(size, size, (runs, cores) => {
      const [note, ...more] = idleCores({ runs, cores, threads: 1 });
      const threads = Number(/--threads (\d+)/.exec(note ?? '')?.[1] ?? 1);
      expect(more).toEqual([]);
      expect(note === undefined).toBe(2 * runs > cores);
      if (note !== undefined)
        expect([threads * runs <= cores, (threads + 1) * runs > cores]).toEqual([true, true]);
    }),
  );
});

test('nobody is told of cores who chose processes or threads', () => {
  expect(idleCores({ runs: 1, cores: 8, threads: 1 })).toEqual([
    '1 run of one thread leaves cores without work; --threads 8 uses them, and rounds differently',
  ]);
  expect(idleCores({ runs: 1, cores: 8, threads: 2 })).toEqual([]);
  expect(idleCores({ runs: 1, cores: 8, threads: 1, jobs: 1 })).toEqual([]);
});
