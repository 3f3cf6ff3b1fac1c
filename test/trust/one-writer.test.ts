import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../src/', import.meta.url));

/** What changes a file system. `rm` is fine where a temporary folder ends; `open` writes only where it is told to. */
const CHANGES =
  /\b(writeFile|appendFile|copyFile|cp|rename|link|symlink|truncate|mkdir|createWriteStream|\w+FileSync|renameSync|linkSync|mkdirSync)\b/g;
const WRITERS: Record<string, readonly string[]> = {
  'files/write-atomically.ts': ['copyFile', 'link', 'linkSync', 'mkdir', 'renameSync'],
  'files/roll-back.ts': ['rename'],
  'bundler/cache.ts': ['mkdir'],
  // Pipes and devices, which have nothing to lose.
  'files/write-stream.ts': ['createWriteStream'],
  // The browser that a package brings is unpacked once, and shared by name.
  'providers/browser/find.ts': ['rename'],
  // Reads what the system says of itself.
  'files/processes.ts': ['readFileSync'],
};

test('files are written in one place', () => {
  const found: Record<string, string[]> = {};
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  for (const file of files) {
    const code = readFileSync(join(root, file), 'utf8').replaceAll(/^ *\*.*$/gm, ''); // without examples in docstrings
    const imports = [...code.matchAll(/import (?:type )?\{([^}]*)\} from 'node:fs(?:\/promises)?'/g)].map(
      ([, names = '']) => names,
    );
    const changes = imports.join().match(CHANGES) ?? [];
    const opens = /\bopen\([^)]*,\s*'(w|a|r\+|wx)/.test(code) ? ['open'] : [];
    if (changes.length > 0) found[file] = [...new Set(changes)].sort();
    if (opens.length > 0) expect(file).toBe('files/write-atomically.ts');
  }
  expect(found).toEqual(
    expect.objectContaining({ 'files/write-atomically.ts': WRITERS['files/write-atomically.ts'] }),
  );
  for (const [file, changes] of Object.entries(found)) expect(WRITERS[file], file).toEqual(changes);
});
