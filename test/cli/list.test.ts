import { expect, test } from 'vitest';
import { list } from '../../src/cli/options/options.js';

test('a list leaves out empty items, and refuses to be empty', () => {
  expect(list('relu,,elu,')).toEqual(['relu', 'elu']);
  for (const empty of ['', ',', ',,']) expect(() => list(empty)).toThrow('Name at least one');
});
