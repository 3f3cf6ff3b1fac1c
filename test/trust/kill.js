// Kills swaps with SIGKILL at moments that nobody chose, and looks at what is left. Run by `npm run kill`; the test suite does a few
// on a smaller model. Goes on until --rounds runs were killed. Each is the command as published, on a model of --megabytes, in
// one of four ways:
//   new     to a file that is not there
//   over    over an old output, with --force
//   moved   a model with external data to another folder, to files that are not there
//   place   in place, with --force, on a copy of the model
// After each round: the input is as it was; the output is the old one or the new one to the byte; besides, there may be
// temporaries of the killed process only, and the next run in that folder removes them.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { onnx } from '../../proto/onnx.js';

const MAIN = fileURLToPath(new URL('../../dist/bin/main.cjs', import.meta.url));
const TEMPORARY = /^\..+\.onnx-mish\.tmp$/;

/** A model of one Relu and a float32 weight of so many bytes: in it, or in a data file beside it. */
function modelOf(bytes, location) {
  const type = { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'N' }] } } };
  const weight = location
    ? { dataLocation: 1, externalData: [{ key: 'location', value: location }] }
    : { rawData: new Uint8Array(bytes).fill(7) };
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'g',
      input: [{ name: 'x', type }],
      output: [{ name: 'y', type }],
      node: [{ opType: 'Relu', name: 'act', input: ['x'], output: ['y'] }],
      initializer: [{ name: 'w', dataType: 1, dims: [bytes / 4], ...weight }],
    },
  }).finish();
}

async function hash(path) {
  const sum = createHash('sha1');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 22 })) sum.update(chunk);
  return sum.digest('hex');
}

/** Of a file that nobody should touch: what even a rewrite with the same bytes would change. */
async function state(path) {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return [ino, size, mtimeNs, ctimeNs].join(' ');
}

/** Runs the command, to its end or until it is killed; gives whether it was, and how long it took. */
async function run(args, killAfter) {
  const begun = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  if (killAfter !== undefined) {
    await Promise.race([ended, setTimeout(killAfter)]);
    child.kill('SIGKILL');
  }
  const { code, signal } = await ended;
  if (signal === null && code !== 0) throw new Error(`${args.join(' ')} failed: ${errors}`);
  return { killed: signal === 'SIGKILL', ms: performance.now() - begun };
}

/** Kills so many runs; gives what it came to. Throws at the first round that loses something. */
export async function killRounds({ rounds, bytes, folder, onRound = () => {} }) {
  const at = (...names) => join(folder, ...names);
  for (const name of ['in', 'in/w', 'out']) await mkdir(at(name));
  const [model, external] = [modelOf(bytes), modelOf(bytes, 'w/m.bin')];
  await writeFile(at('in/m.onnx'), model);
  await writeFile(at('in/e.onnx'), external);
  const data = await open(at('in/w/m.bin'), 'w');
  for (let done = 0; done < bytes; done += 1 << 20) {
    await data.write(new Uint8Array(Math.min(1 << 20, bytes - done)).fill(done >> 20));
  }
  await data.close();
  await writeFile(at('in/small.onnx'), modelOf(4));

  const ways = {
    new: { input: 'in/m.onnx', args: [], before: {} },
    over: { input: 'in/m.onnx', args: ['--force'], before: { 'out/m.onnx': 'in/small.onnx' } },
    moved: { input: 'in/e.onnx', args: [], before: {} },
    place: { input: 'out/m.onnx', args: ['--force'], before: { 'out/m.onnx': 'in/m.onnx' } },
  };
  const names = Object.keys(ways);
  const clear = async (way) => {
    await rm(at('out'), { recursive: true });
    await mkdir(at('out'));
    for (const [to, from] of Object.entries(ways[way].before)) await copyFile(at(from), at(to));
  };
  const command = (way) => ['swap', at(ways[way].input), '-o', at('out/m.onnx'), ...ways[way].args];
  const left = async () =>
    (await readdir(at('out'), { recursive: true })).filter((name) => name !== 'w').sort();

  // What a run that is left alone gives, and how long it takes: the warm one of two.
  const expected = {};
  for (const way of names) {
    let ms = 0;
    for (let runs = 0; runs < 2; runs++) {
      await clear(way);
      ({ ms } = await run(command(way)));
    }
    const files = {};
    for (const name of await left()) files[name] = await hash(at('out', name));
    const old = {};
    for (const [to, from] of Object.entries(ways[way].before)) old[to.slice(4)] = await hash(at(from));
    expected[way] = { ms, files: JSON.stringify(files), old: JSON.stringify(old) };
  }
  const inputs = ['in/m.onnx', 'in/e.onnx', 'in/w/m.bin', 'in/small.onnx'];
  const untouched = async () => (await Promise.all(inputs.map((name) => state(at(name))))).join();
  const hashes = async () => (await Promise.all(inputs.map((name) => hash(at(name))))).join();
  const [before, hashesBefore] = [await untouched(), await hashes()];

  const count = { rounds: 0, killed: 0, old: 0, new: 0, temporaries: 0, dataOnly: 0 };
  // A run that was quicker than the signal is looked at as well, but is no kill.
  for (let round = 0; count.killed < rounds; round++) {
    const way = names[round % names.length];
    const { ms, files, old } = expected[way];
    await clear(way);
    const { killed } = await run(command(way), ms * Math.random());
    const fail = (what) => {
      throw new Error(`round ${round} (${way}): ${what}`);
    };
    if ((await untouched()) !== before) fail('an input was touched');
    const found = {};
    let temporaries = 0;
    for (const name of await left()) {
      if (TEMPORARY.test(name.split('/').at(-1))) temporaries++;
      else found[name] = await hash(at('out', name));
    }
    const now = JSON.stringify(found);
    // The data takes its name right before the model does, and a kill can fall in between: then it is whole, and alone.
    const dataOnly = way === 'moved' && now === JSON.stringify({ 'w/m.bin': JSON.parse(files)['w/m.bin'] });
    if (now !== old && now !== files && !dataOnly) fail(`this is neither old nor new: ${now}`);
    if (!killed && now !== files) fail('it said that it was done');
    // The next run, of anything in the same folders, removes what is left.
    const next = at('in/small.onnx');
    for (const place of ['next.onnx', 'w/next.onnx']) {
      const exists = await stat(at('out', place, '..')).catch(() => undefined);
      if (exists === undefined) continue;
      await swapNext(next, at('out', place));
      await rm(at('out', place));
    }
    if (JSON.stringify((await left()).sort()) !== JSON.stringify(Object.keys(found).sort())) {
      fail(`the next run left ${await left()}`);
    }
    count.rounds++;
    count.killed += Number(killed);
    count.temporaries += Number(temporaries > 0);
    count.dataOnly += Number(dataOnly);
    count[now === files ? 'new' : 'old'] += Number(!dataOnly);
    onRound(count);
  }
  if ((await hashes()) !== hashesBefore) throw new Error('an input was changed');
  return count;
}

async function swapNext(input, output) {
  const { swapFile } = await import('../../dist/node/index.js');
  await swapFile(input, { output });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const options = {
    rounds: { type: 'string', default: '500' },
    megabytes: { type: 'string', default: '200' },
  };
  const { values } = parseArgs({ options });
  const folder = await mkdtemp(join(tmpdir(), 'onnx-mish-kill-'));
  const show = (count) =>
    Object.entries(count)
      .map(([name, value]) => `${value} ${name}`)
      .join(', ');
  try {
    const count = await killRounds({
      rounds: Number(values.rounds),
      bytes: Number(values.megabytes) * 2 ** 20,
      folder,
      onRound: (soFar) => soFar.killed % 50 === 0 && console.log(show(soFar)),
    });
    console.log(`nothing was lost: ${show(count)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
