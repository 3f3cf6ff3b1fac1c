// `node test/bench/whole-nets.js FOLDER [ROUNDS]`: what a whole network takes with each form of Mish, beside its ReLU, on ONNX
// Runtime's CPU provider and, with `wasm`, on WASM in Node. FOLDER has the models of whole-nets.py; those of models/ are added.
// All sessions of a network run in turns, in a new order each round. One thread: the user CPU time of this process, which other
// work on the machine disturbs less than it does the clock. Two threads: the clock; needs two idle cores.
// A figure is the median of the ratios within each round; the second table has the ratios of the shortest runs, which a busy
// machine moves less. PROFILE=1 prints the operators of each session instead. `single`: one thread only, without softplus.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRandom } from '../../dist/base/random.js';
import { seededFeeds } from '../../dist/data/dataset.js';
import { FORMS, inspect, swap } from '../../dist/index.js';
import { modelFromBytes } from '../../dist/providers/loaded-model.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';
import { plainTable } from '../../dist/render/terminal.js';
import { profileOne } from '../../dist/validate/profile.js';

const words = process.argv.slice(2);
const folder = words.find((word) => !/^\d+$|^wasm$|^scalar$|^single$/.test(word));
const rounds = Number(words.find((word) => /^\d+$/.test(word)) ?? 30);
const cpu = nodeProvider('cpu');
const own = fileURLToPath(new URL('../../models/', import.meta.url));
const paths = [
  ...(folder === undefined ? [] : readdirSync(folder).map((name) => join(folder, name))),
  ...['resnet20', 'mobilenet', 'unet'].map((name) => join(own, `${name}.onnx`)),
].filter((path) => path.endsWith('.onnx'));
const random = createRandom(1);
const isSingle = words.includes('single');

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** 0 to length - 1 in random order. */
function shuffled(length) {
  const keys = Array.from({ length }, () => random());
  return [...keys.keys()].sort((a, b) => keys[a] - keys[b]);
}

/** Milliseconds of each session in each round. */
async function inTurns(sessions, feeds, clock, repeats) {
  const all = sessions.map(() => []);
  for (let round = -2; round < rounds; round++)
    for (const index of shuffled(sessions.length)) {
      const begin = clock();
      for (let run = 0; run < repeats; run++) await sessions[index].run(feeds);
      const ms = (clock() - begin) / repeats;
      if (round >= 0) all[index].push(ms);
    }
  return all;
}

const userMs = () => process.cpuUsage().user / 1000;
const wallMs = () => performance.now();

/** The models: the original, and each form, with its name. */
async function variants(bytes) {
  const { opset, sites } = await inspect(bytes);
  const list = [['ReLU', bytes]];
  for (const [form, { opset: needed, bound }] of Object.entries(FORMS)) {
    if (opset < needed || form === 'native') continue;
    if (isSingle && form === 'softplus') continue;
    list.push([form, await (await swap(bytes, { form })).output.bytes()]);
    if (bound !== undefined && form !== 'hard' && words.includes('scalar'))
      list.push([`${form}, scalar`, await (await swap(bytes, { form, blocked: false })).output.bytes()]);
  }
  return { list, sites: sites.length };
}

async function profile(list, feeds) {
  for (const [name, bytes] of list) {
    const { operators } = await profileOne(cpu, await modelFromBytes(bytes), feeds, {
      session: { threads: 1 },
    });
    const top = operators
      .slice(0, 8)
      .map(({ op, calls, us }) => `${op} ${calls}× ${(us / 1000).toFixed(2)} ms`);
    console.log(`  ${name}: ${top.join(', ')}`);
  }
}

await cpu.availability();
console.log(`ONNX Runtime ${cpu.version}, ${rounds} rounds in turns; time beside ReLU`);
const rows = [];
const shortest = [];
let names = [];
for (const path of paths) {
  const bytes = new Uint8Array(readFileSync(path));
  const { list, sites } = await variants(bytes);
  names = list.slice(1).map(([name]) => name);
  for (const [threads, clock] of [[1, userMs], ...(isSingle ? [] : [[2, wallMs]])]) {
    const sessions = [];
    for (const [, model] of list) sessions.push(await cpu.open(model, { threads }));
    const [feeds] = seededFeeds(sessions[0].inputs, { seed: 1 }).feeds;
    if (process.env.PROFILE) {
      if (threads === 1) {
        console.log(basename(path));
        await profile(list, feeds);
      }
    } else {
      const [once] = await inTurns([sessions[0]], feeds, wallMs, 1);
      const repeats = Math.max(1, Math.ceil(8 / median(once)));
      const times = await inTurns(sessions, feeds, clock, repeats);
      const [relu, ...others] = times;
      const ratios = others.map((list) => median(list.map((ms, round) => ms / relu[round])).toFixed(2));
      const head = [basename(path, '.onnx'), `${sites}`, `${threads}`];
      rows.push([...head, median(relu).toFixed(2), ...ratios]);
      const least = times.map((list) => Math.min(...list));
      shortest.push([
        ...head,
        least[0].toFixed(2),
        ...least.slice(1).map((ms) => (ms / least[0]).toFixed(2)),
      ]);
      console.log(rows.at(-1).join('  '));
    }
    for (const session of sessions) await session.close();
  }
}
const head = ['network', 'sites', 'threads', 'ReLU, ms', ...names];
if (rows.length > 0) {
  console.log(`\nMedian of the ratios\n${plainTable(head, rows)}`);
  console.log(`\nRatio of the shortest runs\n${plainTable(head, shortest)}`);
}
