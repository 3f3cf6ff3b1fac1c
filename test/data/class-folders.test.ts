import { mkdir } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classNumbers } from '../../src/data/class-folders.js';
import { listClasses } from '../../src/node/read-images.js';
import { tempFolder } from '../support/folder.js';

/** The order of UTF-8's bytes, which is that of code points and of Python's `sorted`. */
const inOrder = (names: readonly string[]) =>
  names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

test('classes are numbered in the order of code points, as torchvision numbers them', () => {
  const sign = fc.constantFrom('a', 'b', 'Z', 'é', '\ufb01', 'ｆ', '𝔸', '🐱');
  const name = fc.string({ unit: sign, minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.uniqueArray(name), (names) => {
      const numbered = inOrder(names).map((one, at) => [one, at] as const);
      expect([...classNumbers(names)]).toEqual(numbered);
    }),
  );
});

test('so are the folders of classes', async () => {
  const folder = await tempFolder();
  const names = ['🐱', 'ｆ', 'a', '𝔸', '\ufb01', 'Z'];
  for (const name of names) await mkdir(folder.at(name));
  expect(await listClasses(folder.path)).toEqual(inOrder(names));
});
