import fc from 'fast-check';
import { expect, test } from 'vitest';
import { swap } from '../../src/mish/swap.js';
import { model, node } from '../support/model.js';

const NAMES = ['stem', 'block1/act', 'block2/act', 'head'];
const bytes = model({
  nodes: NAMES.map((name, at) => {
    const [from, to] = [at === 0 ? 'x' : `v${at}`, at === NAMES.length - 1 ? 'y' : `v${at + 1}`];
    return node('Relu', [from], [to], {}, { name });
  }),
});
const globs = fc.array(fc.constantFrom('stem', 'block*', '*act', 'haed', 'v9', 'blok*', 'y'), {
  ...{ minLength: 1, maxLength: 4 },
});

test('each glob that matches no activation has a note, and no other has one', async () => {
  const wrong = ['haed', 'v9', 'blok*'];
  await fc.assert(
    fc.asyncProperty(globs, fc.constantFrom('include', 'exclude'), async (given, option) => {
      const { report } = await swap(bytes, { [option]: given });
      const expected = given.filter((glob) => wrong.includes(glob));
      const notes = report.notes.filter((note) => note.startsWith('no activation matches'));
      expect(notes).toEqual(expected.map((glob) => `no activation matches '${glob}'`));
      for (const note of notes) expect(report.noteOptions?.[note]).toEqual({ [option]: null });
    }),
    { numRuns: 40, seed: 1 },
  );
});
