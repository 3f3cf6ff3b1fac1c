// A worker for one job: it loads ONNX Runtime and runs models. The worker that started it terminates it, at any time.

import { expose } from 'comlink';
import type { ShapeOptions } from '../../../data/shapes.js';
import type { Report } from '../../../validate/report-schema.js';
import { validateModels } from '../../../validate/validate.js';
import {
  type ArrayInfo,
  type Fit,
  type InputChoice,
  type NamedFile,
  PAGE_PROVIDERS,
  type PageProvider,
  type RunChoice,
  type RunEvent,
  type SiteHistogram,
  type SitePlace,
  type WorkerAnswer,
} from '../protocol.js';
import { listArrays, readInput } from './data.js';
import { doubtFor } from './doubt.js';
import { fitOf } from './fits.js';
import { pageHost } from './host.js';
import './no-eval.js';
import { answer } from './problem.js';
import { pageProvider, REFERENCE } from './provider.js';
import { externalOf, inspected, loadModel, ortBase, type Sent, type SentFiles } from './sent.js';
import { histogramOf } from './site-histogram.js';

/** A site, and the inputs of the model. */
interface SiteRequest extends ShapeOptions, SitePlace {
  readonly input: InputChoice;
}

export interface Runner {
  arrays(file: NamedFile): Promise<WorkerAnswer<readonly ArrayInfo[]>>;
  fits(model: Sent, files: SentFiles): Promise<WorkerAnswer<Fit[]>>;
  run(
    models: { readonly original: Sent; readonly swapped: Sent; readonly files: SentFiles },
    choice: RunChoice,
    onEvent: (event: RunEvent) => void,
  ): Promise<WorkerAnswer<Report>>;
  histogram(model: Sent, files: SentFiles, request: SiteRequest): Promise<WorkerAnswer<SiteHistogram>>;
}

async function providers(files: SentFiles, names: readonly PageProvider[]) {
  const external = await externalOf(files);
  return names.map((name) => ({ name, provider: pageProvider(name, ortBase(), external) }));
}

const runner: Runner = {
  arrays: (file) => answer(() => listArrays(file)),

  fits: (sent, files) =>
    answer(async () => {
      const model = await loadModel(sent, files);
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
        original: await inspected(original, files),
        swapped: await inspected(swapped, files),
        cpu: reference.provider,
        providers: all.filter(({ name }) => choice.providers.includes(name)).map(({ provider }) => provider),
        data: await readInput(choice.input, choice),
        host: pageHost(),
        latency: { minPairs: choice.pairs, maxPairs: choice.pairs, minSeconds: 0 },
        onProgress: (text) => onEvent({ kind: 'step', text }),
        onPairs: (provider, times) => onEvent({ kind: 'pairs', provider: provider as PageProvider, times }),
        onDoubt: (advice) => onEvent({ kind: 'doubt', doubt: doubtFor(advice, choice.input) }),
        onRow: (row) => onEvent({ kind: 'row', row }),
      });
    }),

  histogram: (sent, files, { site, to, input, ...shape }) =>
    answer(async () => {
      const [wasm] = await providers(files, [REFERENCE]);
      if (wasm === undefined) throw new Error('the page has no WASM provider');
      return histogramOf(
        await loadModel(sent, files),
        { site, to },
        wasm.provider,
        await readInput(input, shape),
      );
    }),
};

expose(runner);
