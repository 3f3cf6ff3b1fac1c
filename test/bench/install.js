// `npm run bench:install`: what `npm install onnx-mish` brings, and how long it takes, beside `npm install svgo`. Both are
// installed in turns, each time into an empty folder with an empty cache. It needs the npm registry. With `-- --peers`, the
// optional packages come in a row of their own.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const RUNS = 3;
const MAX_PACKAGES = 25;
const MAX_BYTES = 15e6;
const MAX_RATIO = 3;

const folder = await mkdtemp(join(tmpdir(), 'onnx-mish-install-'));
const shell = process.platform === 'win32';

/** Installs packages into an empty folder; returns seconds, packages and bytes. */
async function install(specs) {
  const place = await mkdtemp(join(folder, 'project-'));
  await writeFile(join(place, 'package.json'), '{ "private": true }');
  const from = ['--registry', registry.address, '--cache', join(place, '.cache')];
  const args = ['install', '--no-audit', '--no-fund', ...from, ...specs];
  const start = performance.now();
  await run('npm', args, { cwd: place, shell, env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' } });
  const seconds = (performance.now() - start) / 1000;
  const modules = join(place, 'node_modules');
  const { packages } = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8'));
  const bytes = await bytesIn(modules);
  await rm(place, { recursive: true, force: true });
  return { seconds, packages: Object.keys(packages).length, bytes };
}

async function bytesIn(path) {
  const files = await readdir(path, { recursive: true, withFileTypes: true });
  const sizes = files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name)));
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/**
 * A registry that has the packed package, and sends npm on to the real one for all others. Of a file or an address npm would
 * unpack the package three times: it reads the dependencies from there.
 */
async function openRegistry() {
  const packed = join(folder, 'packed');
  await mkdir(packed);
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', packed], { cwd: root, shell });
  const [name] = await readdir(packed);
  const bytes = await readFile(join(packed, name));
  const upstream = (await run('npm', ['config', 'get', 'registry'], { cwd: root, shell })).stdout.trim();
  const server = createServer(({ url }, response) => {
    if (url === `/${name}`) response.end(bytes);
    else if (url !== `/${manifest.name}`)
      response.writeHead(302, { location: new URL(url.slice(1), upstream).href }).end();
    else response.end(JSON.stringify(packument));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${server.address().port}/`;
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const released = { ...manifest, dist: { tarball: `${address}${name}`, integrity } };
  const packument = {
    name: manifest.name,
    'dist-tags': { latest: manifest.version },
    versions: { [manifest.version]: released },
  };
  return { address, close: () => server.close() };
}

const registry = await openRegistry();
try {
  const rows = new Map([
    ['svgo', ['svgo']],
    ['onnx-mish', ['onnx-mish']],
  ]);
  const results = new Map([...rows.keys()].map((name) => [name, []]));
  for (let turn = 0; turn < RUNS; turn++) {
    for (const [name, specs] of rows) results.get(name).push(await install(specs));
  }
  if (process.argv.includes('--peers')) {
    const peers = Object.entries(manifest.peerDependencies).map(([name, range]) => `${name}@${range}`);
    results.set('and its optional packages', [await install(['onnx-mish', ...peers])]);
  }
  const medianOf = (name, key) => median(results.get(name).map((result) => result[key]));
  for (const name of results.keys()) {
    const [seconds, packages, bytes] = ['seconds', 'packages', 'bytes'].map((key) => medianOf(name, key));
    const times = results.get(name).map((result) => result.seconds.toFixed(1));
    console.log(
      `${name.padEnd(26)} ${String(packages).padStart(3)} packages ${(bytes / 1e6).toFixed(1).padStart(6)} MB ${seconds.toFixed(1).padStart(6)} s (${times.join(', ')})`,
    );
  }
  const ratio = medianOf('onnx-mish', 'seconds') / medianOf('svgo', 'seconds');
  console.log(`onnx-mish takes ${ratio.toFixed(2)} times as long as svgo; the limit is ${MAX_RATIO}`);
  const isLight =
    medianOf('onnx-mish', 'packages') <= MAX_PACKAGES && medianOf('onnx-mish', 'bytes') < MAX_BYTES;
  if (!isLight || ratio > MAX_RATIO) process.exitCode = 1;
} finally {
  registry.close();
  await rm(folder, { recursive: true, force: true });
}
