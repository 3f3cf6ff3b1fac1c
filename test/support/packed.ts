import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** The package as npm would publish it. */
export interface Packed {
  readonly tarball: string;
  /** What the tarball holds. */
  readonly files: readonly string[];
  /** Bytes of all these files. */
  readonly size: number;
}

let packing: Promise<Packed> | undefined;

/** Packs the package, once for all files of tests that share this process. */
export function packPackage(): Promise<Packed> {
  packing ??= pack();
  return packing;
}

async function pack(): Promise<Packed> {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-packed-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await run('npm', args, { cwd: root, shell: process.platform === 'win32' });
  const [packed]: readonly { filename: string; files: { path: string }[]; unpackedSize: number }[] =
    JSON.parse(stdout);
  if (packed === undefined) throw new Error(`npm pack printed ${stdout}`);
  return {
    tarball: join(folder, packed.filename),
    files: packed.files.map(({ path }) => path).sort(),
    size: packed.unpackedSize,
  };
}

/** Unpacks a tarball into a folder. */
export async function unpack(tarball: string, folder: string): Promise<void> {
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', folder]);
}
