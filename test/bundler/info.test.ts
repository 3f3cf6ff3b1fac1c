import { rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rollup as rollupBundler } from 'rollup';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { rollup } from '../../src/bundler/index.js';
import { inspect } from '../../src/index.js';
import { makeApp } from '../support/bundlers.js';
import { both, EXPRESSIONS } from '../support/outside-numbers.js';
import { spell } from '../support/spellings.js';

/** Bundles an import of a description. Returns the code, and the names of the files in the app's folder that it depends on. */
async function described(root: string): Promise<{ code: string; files: string[] }> {
  const bundle = await rollupBundler({ input: join(root, 'main.js'), plugins: [rollup()] });
  const { output } = await bundle.generate({});
  await bundle.close();
  const files = bundle.watchFiles.map((file) => file.slice(root.length + 1));
  return { code: output[0].code, files };
}

test('a description depends on the numbers in data files, and follows no link out of the folder', async () => {
  const random = createRandom(5);
  const [expression = 'x'] = EXPRESSIONS;
  const { inside, outside, data } = both(spell(expression, { type: 'f32', opset: 17, random, vary: false }));
  const main = "import info from './net.onnx?mish-info'; globalThis.result = info.mish.length;";
  const app = await makeApp(main, []);
  const file = join(app.root, 'm.data');
  await writeFile(join(app.root, 'net.onnx'), outside);
  await writeFile(file, data);
  const [one] = (await inspect(inside)).mish;
  const form = JSON.stringify(JSON.stringify(one)).slice(1, -1);
  const whole = await described(app.root);
  expect(whole.files.toSorted()).toEqual(['m.data', 'main.js', 'net.onnx']);
  expect(whole.code).toContain(form);
  await rename(file, app.folder.at('elsewhere'));
  const lacking = await described(app.root);
  expect(lacking.files).toContain('m.data'); // it may come
  expect(lacking.code).not.toContain(form);
  await symlink(app.folder.at('elsewhere'), file);
  expect((await described(app.root)).files.toSorted()).toEqual(['main.js', 'net.onnx']);
});
