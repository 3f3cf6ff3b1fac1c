import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { askOn } from '../../../src/cli/commands/install-packages.js';
import { failure } from '../../support/graph.js';

/** Asks, and types keys as an answer. */
function asked(keys: string): Promise<boolean> {
  const input = new PassThrough();
  const answer = askOn(input, new PassThrough());
  input.write(keys);
  return answer;
}

test('only yes installs, and Ctrl-D is a no', async () => {
  for (const keys of ['y\r', 'Yes\r', ' y \r']) expect(await asked(keys), keys).toBe(true);
  for (const keys of ['\r', 'n\r', 'yno\r', 'ja\r', '\u0004']) expect(await asked(keys), keys).toBe(false);
});

test('Ctrl-C stops the command, as a signal does', async () => {
  for (const keys of ['\u0003', 'y\u0003'])
    expect(await failure(asked(keys))).toMatchObject({ code: 'aborted' });
});

test('the end of the input is a no', async () => {
  const input = new PassThrough();
  const answer = askOn(input, new PassThrough());
  input.end();
  expect(await answer).toBe(false);
});
