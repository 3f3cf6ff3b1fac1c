import { expect, test } from 'vitest';
import { finetuneNotes } from '../../src/finetune/notes.js';

const facts = {
  parts: { testFrom: 'file', validation: 6000, test: 10_000 },
  ...{ validation: { loss: 0.3, accuracy: 0.89 }, test: { loss: 0.3, accuracy: 0.885 } },
  ...{ seeds: 3, hasControl: true, hasTeacher: false, sites: 4 },
} as const;

test('nothing is to be noted where all is well', () => {
  expect(finetuneNotes(facts)).toEqual([]);
});

test('an original that knows the validation samples is noticed', () => {
  const known = { ...facts, validation: { loss: 0.1, accuracy: 0.95 } };
  expect(finetuneNotes(known).join()).toContain('probably trained on these data');
  expect(finetuneNotes({ ...known, parts: { ...facts.parts, validation: 40 } })).toEqual([]); // may be chance
  expect(finetuneNotes({ ...known, test: { loss: 1, accuracy: null } })).toEqual([]);
});

test('what weakens the figures is noted', () => {
  const notes = (changed: Partial<Parameters<typeof finetuneNotes>[0]>) =>
    finetuneNotes({ ...facts, ...changed }).join();
  expect(notes({ seeds: 1 })).toContain('trained once');
  expect(notes({ seeds: 1, hasControl: false })).toBe('');
  expect(notes({ hasTeacher: true })).toContain('outputs were mixed');
  expect(notes({ sites: 0 })).toContain('no activation was swapped');
  expect(notes({ parts: { ...facts.parts, testFrom: 'data' } })).toContain('a part of the data');
  expect(notes({ parts: { ...facts.parts, test: 90 } })).toContain('90 test samples');
  expect(notes({ shared: 5000 })).toContain('5,000 of the 10,000 test samples are also training samples');
  expect(notes({ shared: 3 })).toBe('');
});
