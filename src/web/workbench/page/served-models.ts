// Models that the server of the page has.
import { messageOf } from '../../../base/error.js';
import { HANDED_PATH, type Handed, NOT_LOADED, type WorkerAnswer } from '../protocol.js';
import type { Files } from './state.js';

/** Models that the page brings along. */
const MODELS = {
  'lenet5.onnx': new URL('../../../../models/lenet5.onnx', import.meta.url),
  'mobilenet.onnx': new URL('../../../../models/mobilenet.onnx', import.meta.url),
} as const;

/** A model that the page brings along. */
export type BundledModel = keyof typeof MODELS;

/** Names of the bundled models, as people know them. */
export const BUNDLED_MODELS: Readonly<Record<BundledModel, string>> = {
  'lenet5.onnx': 'LeNet-5',
  'mobilenet.onnx': 'MobileNet',
};

async function fetched(address: string | URL): Promise<Response> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response;
}

async function fileAt(name: string, address: string | URL) {
  return { name, blob: await (await fetched(address)).blob() };
}

/** Fetches a model that the page brings along. */
export async function fetchBundled(name: BundledModel): Promise<WorkerAnswer<Files>> {
  try {
    return { ok: true, value: { model: await fileAt(name, MODELS[name]), external: [] } };
  } catch {
    return { ok: false, problem: { ...NOT_LOADED, what: `${name} could not be loaded` } };
  }
}

/** Fetches the model that `onnx-mish ui` was started with. */
export async function fetchHanded(): Promise<WorkerAnswer<Files>> {
  try {
    const { model, external }: Handed = await (await fetched(HANDED_PATH)).json();
    const fileOf = ({ name, url }: Handed['model']) => fileAt(name, url);
    const files = { model: await fileOf(model), external: await Promise.all(external.map(fileOf)) };
    return { ok: true, value: files };
  } catch (error) {
    const what = `the model could not be fetched: ${messageOf(error)}`;
    const fix = 'Start `onnx-mish ui model.onnx` again, or choose the file here';
    return { ok: false, problem: { code: 'io', what, fix } };
  }
}
