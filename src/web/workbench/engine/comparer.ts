// A worker that trains a small net with each activation. The worker that started it terminates it.
import { expose } from 'comlink';
import { type ExperimentClock, experimentClock } from '../../../experiment/clock.js';
import { measureRun } from '../../../experiment/estimate.js';
import { type Experiment, prepareExperiment } from '../../../experiment/prepare.js';
import { experimentReport } from '../../../experiment/report.js';
import type { ExperimentReport, ExperimentRun } from '../../../experiment/report-schema.js';
import { runExperiment } from '../../../experiment/run-experiment.js';
import { trainingFacts } from '../../../experiment/training-facts.js';
import { modelFromBytes } from '../../../providers/loaded-model.js';
import type { WorkerAnswer } from '../protocol.js';
import type { CompareChoice, CompareEvent } from '../room-protocol.js';
import { fetchFile } from './bundled.js';
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
/** Number of points along each direction of a landscape, and the distance from its middle to its edge in filter norms. */
const LANDSCAPE = { points: 9, span: 1 };

const comparer: Comparer = {
  compare: (choice, checkpoints, onEvent) =>
    answer(async () => {
      const { activations, beta, epochs, seed } = choice;
      const model = await modelFromBytes(await fetchFile(MODEL), 'cnn4.onnx');
      const makers = await labelledMakers({ kind: 'bundled' });
      const options = { ...SETTINGS, ...makers, activations, beta, epochs, seed, landscape: LANDSCAPE };
      const { name, provider, reason } = await chooseProvider(choice.provider, [], async (wasm) => {
        const { architecture, settings } = await prepareExperiment(model, { ...options, provider: wasm });
        const inputs = model.document.graph.inputs.map(({ name: input }) => ({
          name: input,
          elemType: 'f32',
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
      const clock = experimentClock(experiment, experiment.keys, 1);
      // One activation will do: the first seconds of a page, in which its code is compiled, tell little about the rest.
      const [first] = experiment.activations;
      if (first !== undefined) clock.measured(first, await measureRun(experiment, first));
      const runs = await train(experiment, states, keep, { onEvent, clock });
      return experimentReport(experiment, runs, {
        host: pageHost(),
        training: await trainingFacts(experiment),
      });
    }),
};

/** Receiver and clock for the progress of a comparison. */
interface Teller {
  readonly onEvent: (event: ComparerEvent) => void;
  readonly clock: ExperimentClock;
}

/** Tells the step, the share that is done, and the time left. */
function tellStep(text: string, { onEvent, clock }: Teller): void {
  onEvent({ kind: 'step', text, share: clock.share(), secondsLeft: clock.secondsLeft() });
}

/** Trains all activations in turns, and computes the loss landscape of each. */
async function train(
  experiment: Experiment,
  states: ReadonlyMap<string, Uint8Array>,
  keep: (activation: string, bytes: Uint8Array) => void,
  { onEvent, clock }: Teller,
): Promise<ExperimentRun[]> {
  const runs: ExperimentRun[] = [];
  const events = runExperiment(experiment, {
    turns: 'epoch',
    optionsOf: (key) => ({
      resume: states.get(key.activation),
      onStep: (step, of) => clock.step(key, step, of),
      save: async (checkpoint) => {
        clock.scored(key);
        keep(key.activation, checkpoint);
      },
      onPoint(done) {
        clock.point(key, done);
        if (done % LANDSCAPE.points === 0) tellStep('loss landscapes', { onEvent, clock });
      },
    }),
  });
  for await (const event of events) {
    const { activation } = event.key;
    if (event.kind === 'epoch') {
      onEvent({ kind: 'epoch', activation, epoch: event.epoch });
      clock.epoch(event.key, event.epoch);
      tellStep('training', { onEvent, clock });
      continue;
    }
    const { landscape } = event.run;
    if (landscape) onEvent({ kind: 'landscape', activation, landscape });
    clock.finished(event.key);
    runs.push(event.run);
  }
  return runs;
}

expose(comparer);
