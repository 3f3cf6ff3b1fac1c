// A worker for one job: it loads ONNX Runtime and runs models. The worker that started it terminates it, at any time.

import { expose } from 'comlink';
import { config } from 'zod';
import type { ShapeOptions } from '../../../data/shapes.js';
import { inspectDocument } from '../../../mish/inspect-document.js';
import { type LoadedModel, modelFromBytes } from '../../../providers/loaded-model.js';
import { modelInfo } from '../../../validate/model-info.js';
import type { InspectedModel } from '../../../validate/options.js';
import type { Report } from '../../../validate/report-schema.js';
import { validateModels } from '../../../validate/validate.js';
import type { External } from '../../harness/ort-provider.js';
import {
  type Fit,
  type InputChoice,
  PAGE_PROVIDERS,
  type PageProvider,
  type RunChoice,
  type RunEvent,
  type SiteHistogram,
  type WorkerAnswer,
} from '../protocol.js';
import { readInput } from './data.js';
import { fitOf } from './fits.js';
import { pageHost } from './host.js';
import { answer } from './problem.js';
import { pageProvider } from './provider.js';
import { histogramOf } from './site-histogram.js';

/** A model that is sent to a runner. */
export interface Sent {
  readonly name: string;
  readonly blob: Blob;
}

/** External data files, by location. */
export type SentFiles = readonly (readonly [location: string, blob: Blob])[];

export interface Runner {
  fits(model: Sent, files: SentFiles): Promise<WorkerAnswer<Fit[]>>;
  run(
    models: { readonly original: Sent; readonly swapped: Sent; readonly files: SentFiles },
    choice: RunChoice,
    onEvent: (event: RunEvent) => void,
  ): Promise<WorkerAnswer<Report>>;
  histogram(
    model: Sent,
    files: SentFiles,
    request: { readonly site: number; readonly input: InputChoice } & ShapeOptions,
  ): Promise<WorkerAnswer<SiteHistogram>>;
}

config({ jitless: true }); // by default zod compiles its checks, which the page's policy forbids

/** The provider that the others are compared with, and that every browser has. */
const REFERENCE: PageProvider = 'wasm';

/** URL of ONNX Runtime's files, beside the folder of the workers. */
const BASE = new URL('../ort/', self.location.href).href;

const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

async function providers(files: SentFiles, names: readonly PageProvider[]) {
  const external: External[] = [];
  for (const [path, blob] of files) external.push({ path, data: await bytesOf(blob) });
  return names.map((name) => ({ name, provider: pageProvider(name, BASE, external) }));
}

const load = async ({ name, blob }: Sent): Promise<LoadedModel> => modelFromBytes(await bytesOf(blob), name);

async function inspected(sent: Sent): Promise<InspectedModel> {
  const model = await load(sent);
  const [sha256 = ''] = await model.fingerprint();
  return { model, info: modelInfo(sent.name, await inspectDocument(model.document), sha256) };
}

const runner: Runner = {
  fits: (sent, files) =>
    answer(async () => {
      const model = await load(sent);
      const fits: Fit[] = [];
      for (const { name, provider } of await providers(files, PAGE_PROVIDERS)) {
        fits.push(await fitOf(name, provider, model));
      }
      return fits;
    }),

  run: ({ original, swapped, files }, choice, onEvent) =>
    answer(async () => {
      const names = PAGE_PROVIDERS.filter((name) => name === REFERENCE || choice.providers.includes(name));
      const all = await providers(files, names);
      const [reference] = all;
      if (reference === undefined) throw new Error('the page has no WASM provider');
      return validateModels({
        original: await inspected(original),
        swapped: await inspected(swapped),
        cpu: reference.provider,
        providers: all.filter(({ name }) => choice.providers.includes(name)).map(({ provider }) => provider),
        data: await readInput(choice.input, choice),
        host: pageHost(),
        latency: { minPairs: choice.pairs, maxPairs: choice.pairs, minSeconds: 0 },
        onProgress: (text) => onEvent({ kind: 'step', text }),
        onPairs: (provider, times) => onEvent({ kind: 'pairs', provider: provider as PageProvider, times }),
        onRow: (row) => onEvent({ kind: 'row', row }),
      });
    }),

  histogram: (sent, files, { site, input, ...shape }) =>
    answer(async () => {
      const [wasm] = await providers(files, [REFERENCE]);
      if (wasm === undefined) throw new Error('the page has no WASM provider');
      return histogramOf(await load(sent), site, wasm.provider, await readInput(input, shape));
    }),
};

expose(runner);
