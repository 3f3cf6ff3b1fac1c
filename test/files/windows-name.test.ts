import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isWindowsPath } from '../../src/files/windows-name.js';

const STEPS = ['.', '..'];
const NAMES = ['net.bin', 'weights', 'a.b', '.hidden', 'console.bin', 'com.bin', 'nul1'];
const INVALID = [
  'C:net.bin',
  'net.bin:stream',
  'a?',
  'a*',
  'a|b',
  '<a>',
  'a"',
  'net.',
  'net ',
  '...',
  '. .',
  'con',
  'NUL.bin',
  'com1.x',
  'Lpt9',
];

const separated = (parts: readonly string[], separators: readonly string[]) =>
  parts.map((part, at) => (at === 0 ? part : `${separators[at - 1] ?? '/'}${part}`)).join('');
const separators = fc.array(fc.constantFrom('/', '\\'), { minLength: 6, maxLength: 6 });

test('a path of names and of steps is one of Windows', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...STEPS, ...NAMES), { maxLength: 6 }),
      separators,
      (parts, between) => {
        expect(isWindowsPath(separated(parts, between))).toBe(true);
      },
    ),
  );
});

test('one name that Windows takes for another thing, or does not take, is enough', () => {
  const around = fc.array(fc.constantFrom(...STEPS, ...NAMES), { maxLength: 3 });
  fc.assert(
    fc.property(
      around,
      fc.constantFrom(...INVALID),
      around,
      separators,
      (before, invalid, after, between) => {
        expect(isWindowsPath(separated([...before, invalid, ...after], between))).toBe(false);
      },
    ),
  );
});
