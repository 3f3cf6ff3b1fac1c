import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { BUNDLED } from '../../bundle/vendor.js';
import manifest from '../../package.json' with { type: 'json' };
import { packPackage } from '../support/packed.js';
import { allows, importedPackages, licences, problem, productionPaths } from './licences.js';

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');
const root = fileURLToPath(new URL('../../', import.meta.url));
const MAX_PACKAGES = 25;
const MAX_BYTES = 15e6;

/** The size of an installed package, its nested packages left out. */
function folderBytes(path: string): number {
  const files = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
  return files
    .filter(
      (file) => file.isFile() && !file.parentPath.slice(join(root, path).length).includes('node_modules'),
    )
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

const dependencies = Object.keys(manifest.dependencies);

describe('the dependencies', () => {
  /** The rows of a section of the documentation: names and reason. */
  const rowsOf = (heading: string) => {
    const [, section = ''] = read('docs/dependencies.md').split(`${heading}\n`);
    const [table = ''] = section.split(/^##? /m);
    return [...table.matchAll(/^\| ([^|]+) \|(?: [^|]+ \|)* ([^|]+) \|$/gm)].filter(
      ([, name]) => !/^(package|-+)$/.test(name ?? ''),
    );
  };

  test.each([
    ['# Dependencies', dependencies],
    ['## Bundled packages', BUNDLED],
    ['## Optional packages', Object.keys(manifest.peerDependencies)],
  ])('stand in the documentation, each with its reason, and no other: %s', (heading, packages) => {
    const rows = rowsOf(heading);
    expect(rows.flatMap(([, names = '']) => names.split(', ')).sort()).toEqual([...packages].sort());
    for (const [row, , reason = ''] of rows) expect(reason, row).toMatch(/\p{L}{3}/u);
  });

  test('are few and small: what npm installs has at most 25 packages and 15 MB', async () => {
    const { packages } = JSON.parse(read('package-lock.json'));
    const paths = [...productionPaths(packages, [])];
    expect(paths.length + 1).toBeLessThanOrEqual(MAX_PACKAGES);
    const bytes = paths.map((path) => folderBytes(path));
    expect(Math.min(...bytes)).toBeGreaterThan(0);
    const { size: own } = await packPackage();
    expect(own).toBeGreaterThan(1e6);
    const all = own + bytes.reduce((sum, size) => sum + size);
    expect(all).toBeLessThan(MAX_BYTES);
    // What the documentation says of it.
    for (const page of ['README.md', 'docs/start.md', 'docs/dependencies.md', 'CHANGELOG.md']) {
      const [, count, megabytes] = /(\d+) packages(?:,| with) (\d+) MB/.exec(read(page)) ?? [];
      expect(Number(count), page).toBe(paths.length + 1);
      expect(Math.abs(Number(megabytes) - all / 1e6), page).toBeLessThan(1);
    }
  });

  test('that are bundled have their licences beside them', () => {
    const notices = read('dist/vendor/LICENSES.txt');
    for (const name of [...BUNDLED, 'd3-array']) expect(notices).toMatch(new RegExp(`^${name} \\d+\\.`, 'm'));
  });

  test('are used by our own code, which uses nothing else but what is bundled or brought by the user', () => {
    const used = importedPackages();
    expect(dependencies.filter((name) => !used.has(name))).toEqual([]);
    const others = [...used].filter((name) => !dependencies.includes(name));
    const known = Object.keys({ ...manifest.devDependencies, 'onnx-mish': '' });
    expect(others.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('are the lock’s', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, Pick<typeof manifest, 'dependencies' | 'devDependencies'>>;
    };
    expect(packages['']?.dependencies).toEqual(manifest.dependencies);
    expect(packages['']?.devDependencies).toEqual(manifest.devDependencies);
  });

  test('have licences that go with MIT', async () => {
    const all = await licences();
    expect(all.filter(({ production }) => production).length).toBeGreaterThan(dependencies.length);
    expect(all.map(problem).filter((one) => one !== undefined)).toEqual([]);
  });

  test.each([
    ['GPL-3.0-only', true],
    ['LGPL-3.0-or-later', true],
    ['MPL-2.0', true],
    ['AGPL-3.0-only', false],
    ['SSPL-1.0', false],
    ['MIT AND GPL-2.0-only', false],
    ['SEE LICENSE IN EULA', false],
    [undefined, false],
  ])('could not have the licence %s', (licence, production) => {
    expect(
      problem({ name: 'some-package', production, ...(licence === undefined ? {} : { licence }) }),
    ).toContain('some-package');
  });

  test('may have one of several licences', () => {
    expect(allows(['MIT'], '(MIT OR GPL-3.0-only)')).toBe(true);
    expect(allows(['MIT'], '(MIT AND GPL-3.0-only)')).toBe(false);
    expect(
      problem({ name: '@img/sharp-libvips-linux-x64', production: true, licence: 'LGPL-3.0-or-later' }),
    ).toBeUndefined();
  });
});

test('installing the package runs nothing of ours', () => {
  const hooks = [
    'preinstall',
    'install',
    'postinstall',
    'prepublish',
    'preprepare',
    'prepare',
    'postprepare',
    'dependencies',
  ];
  expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([]);
  expect(manifest).not.toHaveProperty('gypfile');
});
