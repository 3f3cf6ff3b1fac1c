// Licences of packages that our files contain.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the folder of the package that a module of node_modules belongs to; undefined for our modules. */
export const packageFolder = (/** @type {string} */ id) =>
  /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0];

/** Returns name, version and licence of the packages in these folders, as a text. */
export const noticesOf = (/** @type {Iterable<string>} */ folders) =>
  [...folders].sort().map(noticeOf).join('\n');

function noticeOf(/** @type {string} */ folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file`);
  const text = readFileSync(join(folder, file), 'utf8');
  return `${name} ${version} (${license})\n\n${text.trim()}\n\n${'-'.repeat(72)}\n`;
}
