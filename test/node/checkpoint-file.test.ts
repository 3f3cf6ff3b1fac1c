import { link } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { OnnxMishError } from '../../src/base/error.js';
import { checkpointPath, openCheckpoint } from '../../src/node/checkpoint-file.js';
import { tempFolder } from '../support/folder.js';

const OWN = 'm.onnx.checkpoint';

test('the checkpoint of another training is never replaced without force', async () => {
  const folder = await tempFolder();
  const output = folder.at('m.onnx');
  expect(checkpointPath(output)).toBe(folder.at(OWN));
  const other = await folder.write('other.checkpoint', 'other');
  await folder.write(OWN, 'own');
  for (const resume of [false, other])
    await expect(openCheckpoint(output, { resume })).rejects.toMatchObject({
      ...{ code: 'io', where: folder.at(OWN), option: { resume: null, force: null } },
    });
  const forced = await openCheckpoint(output, { resume: other, force: true });
  expect(forced).toMatchObject({ resume: new TextEncoder().encode('other'), name: other });
  const failed = forced.during(() => Promise.reject(new OnnxMishError('aborted', 'stopped')));
  // It is not this training's yet.
  await expect(failed).rejects.toMatchObject({ outcome: undefined });
  await forced.save(Uint8Array.of(1));
  await forced.during(async () => {});
  expect(await folder.list()).toEqual(['other.checkpoint']);
});

test('a checkpoint is its own under another name, too', async () => {
  const folder = await tempFolder();
  const output = folder.at('m.onnx');
  await folder.write(OWN, 'own');
  await link(folder.at(OWN), folder.at('linked'));
  for (const resume of [true, folder.at(OWN), folder.at('linked')]) {
    const { resume: bytes } = await openCheckpoint(output, { resume });
    expect(bytes).toEqual(new TextEncoder().encode('own'));
  }
});
