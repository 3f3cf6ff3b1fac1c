// What test/web/train.test.ts asks Node and a worker to do with onnx-mish/train: a few epochs of LeNet-5.
/** @param train The module `onnx-mish/train`. */
export async function exercise({ createTrainer }, model, provider, more = {}) {
  const random = (index) => Math.abs(Math.sin(12.9898 * (index + 1)) * 43758.5453) % 1;
  const labels = Array.from({ length: 36 }, (_, at) => at % 10);
  const data = Float32Array.from({ length: 36 * 784 }, (_, at) => {
    const [label, pixel] = [labels[Math.floor(at / 784)], at % 784];
    return 0.3 * random(at) + (Math.floor(pixel / 28) % 10 === label ? 0.7 : 0);
  });
  const inputs = { images: { elemType: 'f32', dims: [36, 1, 28, 28], data } };
  const trainer = await createTrainer(model, {
    ...{ inputs, targets: labels, validation: { inputs, targets: labels }, provider },
    ...{
      epochs: 3,
      batch: 8,
      rate: 2e-3,
      augment: ['crop'],
      schedule: 'constant',
      optimizer: { kind: 'rmsprop' },
      ...more,
    },
  });
  for await (const _ of trainer);
  const losses = trainer.epochs.map(({ loss, validation }) => [loss, validation.loss]);
  const trained = await (await trainer.model()).bytes();
  await trainer.close();
  return { losses, size: trained.length };
}

async function work({ build, provider, reference, epochs }) {
  const [train, { webProvider }, ort] = await Promise.all([
    import('./dist/train/index.js'),
    import('./dist/web/index.js'),
    import(new URL(`./ort/ort.${build}.min.mjs`, import.meta.url).href),
  ]);
  ort.env.wasm.wasmPaths = new URL('./ort/', import.meta.url).href;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'fatal';
  const model = new Uint8Array(await (await fetch('lenet5.onnx')).arrayBuffer());
  const check = reference === undefined ? {} : { reference: webProvider(ort, reference) };
  return exercise(train, model, webProvider(ort, provider), { epochs, ...check });
}

if (typeof document !== 'undefined') {
  globalThis.inWorker = (request) =>
    new Promise((resolve, reject) => {
      const worker = new Worker('train.js', { type: 'module' });
      worker.onmessage = ({ data }) => {
        worker.terminate();
        resolve(data);
      };
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(request);
    });
} else if (typeof WorkerGlobalScope !== 'undefined') {
  addEventListener('message', async ({ data }) => {
    postMessage(await work(data).catch(({ message, stack }) => ({ error: message, stack })));
  });
}
