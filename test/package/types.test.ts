import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

/** The package has the workbench as a bundled page, without declarations. */
const NOT_PACKED = join('web', 'workbench');

test('no declaration gives a typed array a type argument, which TypeScript before 5.7 does not know', () => {
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.d.ts') && !name.startsWith(NOT_PACKED),
  );
  expect(files.length).toBeGreaterThan(300);
  const generic = files.filter((file) =>
    /\b(Uint8|Uint8Clamped|Int8|Uint16|Int16|Uint32|Int32|Float16|Float32|Float64|BigInt64|BigUint64)Array</.test(
      readFileSync(join(dist, file), 'utf8'),
    ),
  );
  expect(generic).toEqual([]);
});
