import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import * as ort from 'onnxruntime-web/wasm';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { createMishSession } from '../../src/web/session/create.js';
import { failure } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'fatal';

const SIZE = 4;
const LOCATION = 'w.data';

/** A model that adds numbers, which are in a data file of the same name for all. */
function adding(stored: onnx.ITensorProto): Uint8Array {
  return model({
    nodes: [node('Add', ['x', 'w'], ['y'])],
    inputs: [value('x', 1, [SIZE])],
    outputs: [value('y', 1, [SIZE])],
    initializers: [stored],
  });
}
const numbers = (seed: number) => Array.from({ length: SIZE }, (_, at) => 10 * seed + at);
const inside = (seed: number) => adding(floats('w', [SIZE], numbers(seed)));
const externalData = [
  { key: 'location', value: LOCATION },
  { key: 'length', value: String(4 * SIZE) },
];
const outside = adding({ name: 'w', dataType: 1, dims: [SIZE], dataLocation: 1, externalData });
const dataOf = (seed: number) => new Uint8Array(Float32Array.from(numbers(seed)).buffer);

/** Returns what a session adds to zeros. */
async function added(session: ort.InferenceSession): Promise<number[]> {
  const { y } = await session.run({ x: new ort.Tensor('float32', new Float32Array(SIZE), [SIZE]) });
  await session.release();
  return Array.from(y?.data as Float32Array);
}

/** ONNX Runtime as it is while it loads: all sessions that are asked for meanwhile go on at the same moment. */
function loading(): typeof ort {
  const loaded = new Promise((resolve) => setTimeout(resolve, 20));
  const create = async (bytes: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    await loaded;
    return ort.InferenceSession.create(bytes, options);
  };
  return { ...ort, InferenceSession: { create } as unknown as typeof ort.InferenceSession };
}

test('sessions that are created at once have their own data files', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 2, maxLength: 4 }), async (kinds) => {
      const runtime = loading();
      const sessions = kinds.map(async (isOutside, seed) => {
        const data = isOutside ? [{ path: LOCATION, data: dataOf(seed) }] : [];
        const source = isOutside ? outside : inside(seed);
        return createMishSession(runtime, source, { providers: ['wasm'], externalData: data });
      });
      const outputs = await Promise.all(sessions.map(async (session) => added(await session)));
      expect(outputs).toEqual(kinds.map((_, seed) => numbers(seed)));
    }),
    { numRuns: 4 },
  );
});

/** Starts a server, and returns its address. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('data files are found beside a model that is served where it is asked for, or where it is redirected to', async () => {
  for (const folder of ['models/', 'store/', 'models/store/']) {
    const files = new Map([
      ['/store/1f3a', outside],
      [`/${folder}${LOCATION}`, dataOf(7)],
    ]);
    const root = await serve(({ url = '' }, response) => {
      if (url === '/models/m.onnx')
        return response.writeHead(302, { Location: '/store/1f3a?signature=a%2Fb' }).end();
      const content = files.get(url.replace(/\?.*/, ''));
      response.writeHead(content === undefined ? 403 : 200).end(content);
    });
    const session = createMishSession(ort, `${root}models/m.onnx`, { providers: ['wasm'] });
    if (folder === 'models/store/')
      expect(await failure(session)).toMatchObject({ code: 'io', where: `${root}models/${LOCATION}` });
    else expect(await added(await session)).toEqual(numbers(7));
  }
});

test('a download that breaks off while no content is needed changes no result', async () => {
  vi.stubGlobal('navigator', { userAgent: '' }); // no WebGPU
  onTestFinished(() => void vi.unstubAllGlobals());
  const broken = (body: ReadableStream) => failure(createMishSession(ort, body, { providers: ['webgpu'] }));
  const sound = await broken(new ReadableStream());
  expect(sound).toMatchObject({ code: 'provider-unavailable' });
  const cut = new ReadableStream({ start: (controller) => controller.error(new TypeError('terminated')) });
  expect(await broken(cut)).toEqual(sound);
});
