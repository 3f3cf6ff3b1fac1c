// What test/web/session.test.ts asks a page or a worker to do with onnx-mish/web: one session, and one run of it.
import { createMishSession } from './dist/web/index.js';

const ORT = new URL('./ort/', import.meta.url);

const SOURCES = {
  raw: (address) => address,
  url: (address) => address,
  response: (address) => fetch(address),
  blob: async (address) => (await fetch(address)).blob(),
  bytes: async (address) => new Uint8Array(await (await fetch(address)).arrayBuffer()),
  stream: async (address) => (await fetch(address)).body,
};

/** An error as it can travel. */
const told = ({ name, code, message, where, fix }) => ({ error: { name, code, message, where, fix } });

/**
 * @param request `build` of onnxruntime-web, `source` and how to hand it over (`as`), `options`, `feeds` of float32, and
 *   after how many bytes to abort.
 */
export async function work({ build = 'all', source, as = 'url', options, feeds, abortAfter }) {
  await new Promise((resolve) => setTimeout(resolve)); // out of what the test evaluates, where the policy is not in force
  const ort = await import(new URL(`ort.${build}.min.mjs`, ORT).href);
  ort.env.wasm.wasmPaths = ORT.href;
  ort.env.logLevel = 'fatal';
  const abort = new AbortController();
  const progress = [];
  let made;
  let extra;
  const InferenceSession = {
    create(model, given) {
      extra = structuredClone(given.extra); // ONNX Runtime adds to it
      return ort.InferenceSession.create(model, given);
    },
  };
  try {
    const session = await createMishSession(
      { env: ort.env, InferenceSession },
      await SOURCES[as](as === 'raw' ? source : new URL(source, location.href).href),
      {
        ...options,
        signal: abort.signal,
        onProgress(event) {
          progress.push(event);
          if (abortAfter !== undefined && event.loaded >= abortAfter) abort.abort();
        },
        onSession(session) {
          made = session;
        },
      },
    );
    const plain = session instanceof ort.InferenceSession;
    const tensors = Object.entries(feeds ?? {}).map(([name, { dims, data }]) => [
      name,
      new ort.Tensor('float32', Float32Array.from(data), dims),
    ]);
    const outputs = tensors.length === 0 ? {} : await session.run(Object.fromEntries(tensors));
    const results = Object.entries(outputs).map(([name, { dims, data }]) => [
      name,
      { dims: [...dims], data: [...data] },
    ]);
    await session.release();
    return { plain, made, extra, progress, outputs: Object.fromEntries(results) };
  } catch (error) {
    return { ...told(error), made, progress };
  }
}

if (typeof document === 'undefined') {
  addEventListener('message', async ({ data }) => postMessage(JSON.stringify(await work(data))));
} else {
  const inWorker = (request) =>
    new Promise((resolve, reject) => {
      const worker = new Worker('session.js', { type: 'module' });
      worker.onmessage = ({ data }) => {
        worker.terminate();
        resolve(JSON.parse(data));
      };
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(request);
    });
  Object.assign(globalThis, { work, inWorker });
}
