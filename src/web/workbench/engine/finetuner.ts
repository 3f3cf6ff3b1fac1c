// A worker that reads labelled samples and trains a model beside its control. The worker that started it terminates it.
import { expose } from 'comlink';
import type { Advice } from '../../../base/option-hint.js';
import { finetuneModel } from '../../../finetune/finetune.js';
import type { FinetuneOptions } from '../../../finetune/options.js';
import { editedModel } from '../../../finetune/start.js';
import { swapDocument } from '../../../mish/swap.js';
import type { LoadedModel } from '../../../providers/loaded-model.js';
import { withSession } from '../../../providers/with-session.js';
import type { WorkerAnswer } from '../protocol.js';
import type { FinetuneChoice, FinetunedModel, FinetuneEvent } from '../room-protocol.js';
import { doubtFor } from './doubt.js';
import { pageHost } from './host.js';
import { type LabelledMakers, labelledMakers } from './labelled.js';
import { swappedName } from './model.js';
import './no-eval.js';
import { answer } from './problem.js';
import { externalOf, loadModel, type Sent, type SentFiles } from './sent.js';
import { swapOptions } from './swap-options.js';
import { chooseProvider } from './training-provider.js';

/** Events of a fine-tuning, with the state after each epoch: an epoch and its state come together or not at all. */
export interface FinetunerEvent {
  readonly event: FinetuneEvent;
  readonly checkpoint?: Uint8Array | undefined;
}

/** A fine-tuning of a model. */
export interface FinetuneJob {
  readonly model: Sent;
  readonly files: SentFiles;
  readonly choice: FinetuneChoice;
  /** Names that choose the sites to swap; undefined for all sites. */
  readonly include: readonly string[] | undefined;
  readonly resume: Uint8Array | undefined;
}

export interface Finetuner {
  finetune(job: FinetuneJob, tell: (event: FinetunerEvent) => void): Promise<WorkerAnswer<FinetunedModel>>;
}

/** Minimum milliseconds between two reports of progress, which cost messages between workers. */
const PROGRESS_MS = 100;

const finetuner: Finetuner = {
  finetune: ({ model: sent, files, choice, include, resume }, tell) =>
    answer(async () => {
      const onEvent = (event: FinetuneEvent) => tell({ event });
      let checkpoint: Uint8Array | undefined;
      const model = await loadModel(sent, files);
      const makers = await labelledMakers(choice.input);
      const options = { ...optionsOf(choice, include), ...makers };
      const { name, provider, reason } = await chooseProvider(
        choice.provider,
        await externalOf(files),
        (wasm) => triedTrainings({ original: model, makers, options, swap: choice.swap }, wasm),
      );
      onEvent({ kind: 'provider', provider: name, reason });
      const onDoubt = (advice: Advice) => onEvent({ kind: 'doubt', doubt: doubtFor(advice, choice.input) });
      const { output, report } = await finetuneModel(model, {
        ...options,
        provider,
        host: pageHost(),
        inTurns: true,
        checkpoint: {
          resume,
          save: async (bytes) => {
            checkpoint = bytes;
          },
        },
        // The images that the page brings along are right for its model.
        ...(choice.input.kind === 'bundled' ? {} : { onDoubt }),
        onStep: losses(choice.epochs, onEvent),
        onEpoch: (epoch) => tell({ event: { kind: 'epoch', ...epoch }, checkpoint }),
        onProgress: progress(onEvent),
      });
      return { name: swappedName(sent.name, choice.swap.to), blob: await output.blob(), report };
    }),
};

function optionsOf(
  { swap, epochs, rate, batch, ignoreLabel, flip, repair }: FinetuneChoice,
  include: readonly string[] | undefined,
) {
  return {
    ...swapOptions(swap),
    epochs,
    rate,
    batch,
    ignoreLabel,
    calibrate: repair,
    include,
    augment: flip ? (['flip'] as const) : [],
  } satisfies Partial<FinetuneOptions>;
}

/** Returns the trainings of both arms as they begin. */
async function triedTrainings(
  job: {
    readonly original: LoadedModel;
    readonly makers: LabelledMakers;
    readonly options: ReturnType<typeof optionsOf>;
    readonly swap: FinetuneChoice['swap'];
  },
  wasm: Parameters<typeof withSession>[1]['provider'],
) {
  const { original, makers, options, swap } = job;
  const { rate, batch, ignoreLabel, include } = options;
  const inputs = await withSession(original.file, { provider: wasm }, (session) => session.inputs);
  const settings = { rate, batch, ignoreLabel, optimizer: { kind: 'rmsprop', corrected: true } } as const;
  const labelled = await makers.data(inputs);
  const { output } = await swapDocument(original.document, { ...swapOptions(swap), include, undo: false });
  const swapped = await editedModel(original, output);
  return [swapped, original].map((model) => ({ model, data: labelled, settings }));
}

/** Returns a function that reports the losses of each arm now and then in its first epoch, which the user waits for. */
function losses(
  epochs: number,
  onEvent: (event: FinetuneEvent) => void,
): NonNullable<FinetuneOptions['onStep']> {
  const last = new Map<string, number>();
  return ({ arm, step, of, loss }) => {
    const now = performance.now();
    const at = (step / of) * epochs;
    if (at >= 1 || now - (last.get(arm) ?? Number.NEGATIVE_INFINITY) < PROGRESS_MS) return;
    last.set(arm, now);
    onEvent({ kind: 'loss', arm, at, loss });
  };
}

/** Returns a function that reports progress now and then, and each end of a work. */
function progress(onEvent: (event: FinetuneEvent) => void): NonNullable<FinetuneOptions['onProgress']> {
  let last = Number.NEGATIVE_INFINITY;
  let before = '';
  return (text, share, secondsLeft) => {
    const now = performance.now();
    if (text === before && share < 1 && now - last < PROGRESS_MS) return;
    [last, before] = [now, text];
    onEvent({ kind: 'step', text, share, secondsLeft });
  };
}

expose(finetuner);
