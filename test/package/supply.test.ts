import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { allows, importedPackages, licences, problem } from './licences.js';

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');
const dependencies = Object.keys(manifest.dependencies);

describe('the dependencies', () => {
  test('stand in the documentation, each with its reason, and no other', () => {
    const [, section = ''] =
      /^# Dependencies\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(read('docs/dependencies.md')) ?? [];
    const rows = [...section.matchAll(/^\| ([^|]+) \| ([^|]+) \|$/gm)].filter(
      ([, name]) => !/^(package|-+)$/.test(name ?? ''),
    );
    expect(rows.flatMap(([, names = '']) => names.split(', ')).sort()).toEqual([...dependencies].sort());
    for (const [row, , reason = ''] of rows) expect(reason, row).toMatch(/\p{L}{3}/u);
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
