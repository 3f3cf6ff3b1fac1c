import * as ort from 'onnxruntime-web/wasm';
import type { Provider, Session } from '../../src/providers/provider.js';
import type { Tensors, TypedArray } from '../../src/providers/tensor.js';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const RUNTIME = {
  ...{ name: 'onnxruntime-web', version: '', browser: null, renderer: null },
  ...{ software: null, threads: 1, simd: true },
};

/** ONNX Runtime Web on one thread in this process, for float32: WebAssembly gives the same bits on every machine. */
export function wasmProvider(): Provider {
  return {
    name: 'wasm',
    version: 'unknown',
    availability: async () => ({ available: true }),
    open: async (model) => sessionOf(await ort.InferenceSession.create(model as Uint8Array)),
  };
}

function sessionOf(session: ort.InferenceSession): Session {
  const run = async (feeds: Tensors): Promise<Tensors> => {
    const given = Object.entries(feeds).map(([name, { dims, data }]) => {
      return [name, new ort.Tensor('float32', data as Float32Array, dims)] as const;
    });
    const results = Object.entries(await session.run(Object.fromEntries(given)));
    return Object.fromEntries(
      results.map(([name, { dims, data }]) => [name, { elemType: 'f32', dims, data: data as TypedArray }]),
    );
  };
  const infos = (values: readonly ort.InferenceSession.ValueMetadata[]) =>
    values.map((value) => ({ name: value.name, elemType: 'f32', dims: value.isTensor ? value.shape : [] }));
  return {
    inputs: infos(session.inputMetadata),
    outputs: infos(session.outputMetadata),
    createMs: 0,
    runtime: RUNTIME,
    run,
    async time(feeds) {
      const start = performance.now();
      await run(feeds);
      return performance.now() - start;
    },
    close: () => session.release(),
  };
}
