import { expect, test } from 'vitest';
import { hasColour } from '../../../src/cli/text/colour.js';

test.each([
  [{}, true, true],
  [{}, false, false],
  [{ NO_COLOR: '1' }, true, false],
  [{ NO_COLOR: '' }, true, true],
  [{ FORCE_COLOR: '1' }, false, true],
  [{ FORCE_COLOR: '' }, false, true],
  [{ FORCE_COLOR: '0' }, true, false],
  [{ FORCE_COLOR: 'false' }, true, false],
  [{ NO_COLOR: '1', FORCE_COLOR: '1' }, false, false],
])('with %j on a terminal (%s), colour is %s', (environment, isTTY, expected) => {
  expect(hasColour({ isTTY }, environment)).toBe(expected);
});
