import { InferenceSession, Tensor } from 'onnxruntime-node';
import { onnx } from '../../proto/onnx.js';
import type { WebglPage, WebTensor } from './webgl-page.js';

/** Numbers of both signs, of which no two are equal. */
export const numbers = (count: number): number[] =>
  Array.from({ length: count }, (_, place) => Math.sin(place * 7.3 + 4) * 3);

/** Float32 feeds for each input of a model that says its dimensions, from `numbers` unless given. */
export function feedsFor(model: Uint8Array, data?: readonly number[]): Record<string, WebTensor> {
  const { graph } = onnx.ModelProto.decode(model);
  const constants = new Set(graph?.initializer?.map(({ name }) => name));
  const inputs = graph?.input?.filter(({ name }) => !constants.has(name)) ?? [];
  return Object.fromEntries(
    inputs.map(({ name, type }) => {
      const dims = type?.tensorType?.shape?.dim?.map(({ dimValue }) => dimValue ?? 1) ?? [];
      const size = dims.reduce((product, dim) => product * dim, 1);
      return [name ?? '', { type: 'float32', dims, data: data ?? numbers(size) }];
    }),
  );
}

/** What the CPU makes of a model. */
export async function onCpu(
  model: Uint8Array,
  feeds: Readonly<Record<string, WebTensor>>,
): Promise<Record<string, WebTensor>> {
  const session = await InferenceSession.create(model, { logSeverityLevel: 4 });
  const tensors = Object.entries(feeds).map(
    ([name, { dims, data }]) => [name, new Tensor('float32', Float32Array.from(data), [...dims])] as const,
  );
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, dims, data }]) => {
      const values = Array.from(data as ArrayLike<number | bigint>, Number);
      return [name, { type: type as WebTensor['type'], dims: [...dims], data: values }];
    }),
  );
}

/** How far apart the outputs of WebGL and CPU are at most; Infinity where even their dimensions differ. Throws what WebGL does. */
export async function webglError(
  page: WebglPage,
  model: Uint8Array,
  data?: readonly number[],
): Promise<number> {
  const feeds = feedsFor(model, data);
  const [right, outcome] = [await onCpu(model, feeds), await page.run(model, feeds)];
  if ('error' in outcome) throw new Error(`${outcome.phase}: ${outcome.error}`);
  const errors = Object.entries(right).map(([name, { dims, data: wanted }]) => {
    const given = outcome.outputs[name];
    if (given === undefined || String(given.dims) !== String(dims)) return Number.POSITIVE_INFINITY;
    return Math.max(...wanted.map((value, place) => Math.abs(value - (given.data[place] ?? Number.NaN))));
  });
  return Math.max(...errors);
}
