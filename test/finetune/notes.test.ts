import { expect, test } from 'vitest';
import { notesOn } from '../../src/finetune/notes.js';

const facts = {
  parts: { testFrom: 'file', validation: 6000, test: 10_000 },
  ...{ validation: { loss: 0.3, accuracy: 0.89 }, test: { loss: 0.3, accuracy: 0.885 } },
  ...{ seeds: 3, hasControl: true, hasTeacher: false, sites: 4 },
} as const;

test('nothing is to be noted where all is well', () => {
  expect(notesOn(facts)).toEqual([]);
});

test('an original that knows the validation samples is noticed', () => {
  const known = { ...facts, validation: { loss: 0.1, accuracy: 0.95 } };
  expect(notesOn(known).join()).toContain('probably trained on these data');
  expect(notesOn({ ...known, parts: { ...facts.parts, validation: 40 } })).toEqual([]); // may be chance
  expect(notesOn({ ...known, test: { loss: 1, accuracy: null } })).toEqual([]);
});

test('what weakens the figures is noted', () => {
  const notes = (changed: Partial<Parameters<typeof notesOn>[0]>) => notesOn({ ...facts, ...changed }).join();
  expect(notes({ seeds: 1 })).toContain('trained once');
  expect(notes({ seeds: 1, hasControl: false })).toBe('');
  expect(notes({ hasTeacher: true })).toContain('outputs were mixed');
  expect(notes({ sites: 0 })).toContain('no activation was swapped');
  expect(notes({ parts: { ...facts.parts, testFrom: 'data' } })).toContain('a part of the data');
  expect(notes({ parts: { ...facts.parts, test: 90 } })).toContain('90 test samples');
});
