// A worker that trains a small net with each activation. The worker that started it terminates it.
import { expose } from 'comlink';
import { lossLandscape, trainedWeights } from '../../../experiment/landscape.js';
import { type Experiment, prepareExperiment } from '../../../experiment/prepare.js';
import { experimentReport } from '../../../experiment/report.js';
import type { ExperimentReport, ExperimentRun } from '../../../experiment/report-schema.js';
import { runExperiment } from '../../../experiment/run-experiment.js';
import { openRun } from '../../../experiment/train-run.js';
import { trainingFacts } from '../../../experiment/training-facts.js';
import { modelFromBytes } from '../../../providers/loaded-model.js';
import type { WorkerAnswer } from '../protocol.js';
import type { CompareChoice, CompareEvent } from '../room-protocol.js';
import { fetchFile } from './bundled.js';
import { type CompareClock, compareClock } from './compare-clock.js';
import { pageHost } from './host.js';
import { labelledMakers } from './labelled.js';
import './no-eval.js';
import { answer } from './problem.js';
import { chooseProvider } from './training-provider.js';

/** Events of a comparison, with the state of a training after each epoch. */
export type ComparerEvent =
  | CompareEvent
  | { readonly kind: 'checkpoint'; readonly activation: string; readonly bytes: Uint8Array };

export interface Comparer {
  compare(
    choice: CompareChoice,
    checkpoints: ReadonlyMap<string, Uint8Array>,
    onEvent: (event: ComparerEvent) => void,
  ): Promise<WorkerAnswer<ExperimentReport>>;
}

const MODEL = new URL('../../../../models/untrained/cnn4.onnx', import.meta.url);
const SETTINGS = { batch: 32, rate: 0.003, seeds: 1, optimizer: { kind: 'rmsprop' } } as const;
/** Points along each direction of a landscape, and their distance to the edge in filter norms. */
const LANDSCAPE = { points: 9, span: 1 };

const comparer: Comparer = {
  compare: (choice, checkpoints, onEvent) =>
    answer(async () => {
      const { activations, beta, epochs, seed } = choice;
      const model = await modelFromBytes(await fetchFile(MODEL), 'cnn4.onnx');
      const makers = await labelledMakers({ kind: 'bundled' });
      const options = { ...SETTINGS, ...makers, activations, beta, epochs, seed };
      const { name, provider, reason } = await chooseProvider(choice.provider, [], async (wasm) => {
        const { architecture, settings } = await prepareExperiment(model, { ...options, provider: wasm });
        const inputs = model.document.graph.inputs.map(({ name: input }) => ({
          ...{ name: input, elemType: 'f32' },
          dims: ['N', 1, 28, 28],
        }));
        const data = await makers.data(inputs);
        return [...architecture.models.values()].map((one) => ({
          model: one,
          data,
          settings: { ...settings, ...SETTINGS },
        }));
      });
      onEvent({ kind: 'provider', provider: name, reason });
      const experiment = await prepareExperiment(model, { ...options, provider });
      const states = new Map(checkpoints);
      const keep = (activation: string, bytes: Uint8Array) => {
        states.set(activation, bytes);
        onEvent({ kind: 'checkpoint', activation, bytes });
      };
      const runCount = experiment.keys.length;
      const clock = compareClock(runCount, {
        epochs: runCount * epochs,
        points: runCount * LANDSCAPE.points ** 2,
      });
      const runs = await train(experiment, states, keep, { onEvent, clock });
      const landscapes = await landscapesOf(experiment, runs, states, { onEvent, clock });
      return experimentReport(experiment, landscapes, {
        host: pageHost(),
        training: await trainingFacts(experiment),
      });
    }),
};

/** Receiver and clock for the progress of a comparison. */
interface Teller {
  readonly onEvent: (event: ComparerEvent) => void;
  readonly clock: CompareClock;
}

/** Tells the step, the share that is done, and the time left. */
function tellStep(text: string, { onEvent, clock }: Teller): void {
  onEvent({ kind: 'step', text, share: clock.share(), secondsLeft: clock.secondsLeft() });
}

/** Trains all activations in turns. */
async function train(
  experiment: Experiment,
  states: ReadonlyMap<string, Uint8Array>,
  keep: (activation: string, bytes: Uint8Array) => void,
  { onEvent, clock }: Teller,
): Promise<ExperimentRun[]> {
  const runs: ExperimentRun[] = [];
  const events = runExperiment(experiment, {
    turns: 'epoch',
    optionsOf: ({ activation }) => ({
      resume: states.get(activation),
      onStep: () => clock.step(),
      save: async (checkpoint) => {
        clock.scored();
        keep(activation, checkpoint);
      },
    }),
  });
  for await (const event of events) {
    if (event.kind === 'run') {
      runs.push(event.run);
      continue;
    }
    const { epoch } = event;
    onEvent({ kind: 'epoch', activation: event.key.activation, epoch });
    clock.epoch(epoch.seconds);
    tellStep('training', { onEvent, clock });
  }
  return runs;
}

/** Computes the landscape of each run that did not diverge, and returns the runs with them. */
async function landscapesOf(
  experiment: Experiment,
  runs: readonly ExperimentRun[],
  states: ReadonlyMap<string, Uint8Array>,
  { onEvent, clock }: Teller,
): Promise<ExperimentRun[]> {
  const found: ExperimentRun[] = [];
  clock.points(0);
  for (const run of runs) {
    const key = experiment.keys.find(({ activation }) => activation === run.activation);
    if (key === undefined || run.diverged !== null) {
      clock.points(LANDSCAPE.points ** 2);
      found.push(run);
      continue;
    }
    const trainer = await openRun(experiment, key, { resume: states.get(run.activation) });
    try {
      const landscape = await lossLandscape(trainedWeights(trainer, experiment.curve), {
        ...{ ...LANDSCAPE, seed: run.seed },
        onProgress: (done) => {
          clock.points(1);
          if (done % LANDSCAPE.points === 0) tellStep('loss landscapes', { onEvent, clock });
        },
      });
      onEvent({ kind: 'landscape', activation: run.activation, landscape });
      found.push({ ...run, landscape });
    } finally {
      await trainer.close();
    }
  }
  return found;
}

expose(comparer);
