// A worker that repairs a swapped model, or ranks its sites. The worker that started it terminates it.
import { expose } from 'comlink';
import { ownProperty } from '../../../base/own.js';
import { integer } from '../../../base/plural.js';
import { calibrateModel } from '../../../calibrate/calibrate.js';
import { rankModel } from '../../../calibrate/select/rank.js';
import type { Ranking } from '../../../calibrate/select/ranking.js';
import { type DataMaker, inBatches } from '../../../data/in-batches.js';
import { ANY } from '../../../data/shapes.js';
import type { SwapOptions } from '../../../mish/swap.js';
import type { LoadedModel } from '../../../providers/loaded-model.js';
import type { Provider } from '../../../providers/provider.js';
import { withSession } from '../../../providers/with-session.js';
import type { WorkerAnswer } from '../protocol.js';
import type { RankEvent, RepairChoice, RepairEvent, RepairedModel } from '../repair-protocol.js';
import { readInput } from './data.js';
import { sendDoubt } from './doubt.js';
import { swappedName } from './model.js';
import './no-eval.js';
import { answer } from './problem.js';
import { pageProvider, REFERENCE } from './provider.js';
import { externalOf, loadModel, ortBase, type Sent, type SentFiles } from './sent.js';
import { clockedSteps } from './steps.js';

/** A model with the choice of its repair. */
export interface RepairJob {
  readonly model: Sent;
  readonly files: SentFiles;
  readonly choice: RepairChoice;
  /** Names that choose the sites to swap; undefined for all sites. */
  readonly include: readonly string[] | undefined;
}

export interface Repairer {
  calibrate(job: RepairJob, onEvent: (event: RepairEvent) => void): Promise<WorkerAnswer<RepairedModel>>;
  rank(
    job: RepairJob,
    before: Ranking | null,
    onEvent: (event: RankEvent) => void,
  ): Promise<WorkerAnswer<Ranking>>;
}

const repairer: Repairer = {
  calibrate: (job, onEvent) =>
    answer(async () => {
      const { model, provider, read, swap } = await prepare(job);
      const { sharpen, steps, swap: chosen, input } = job.choice;
      const data = await withSession(model.file, { provider }, async (session) => {
        const batches = await inBatches(
          session,
          read,
          (symbol) => ownProperty(job.choice.dims, symbol) !== undefined,
        );
        const samples = batches(session.inputs, session.outputs);
        await sendDoubt(model, samples, { provider, session, input }, onEvent);
        return batches;
      });
      const { output, report } = await calibrateModel(model, {
        ...swap,
        data,
        provider,
        beta: sharpen ? undefined : (betaOf(job.choice) ?? 1),
        steps: steps ? undefined : 0,
        onProgress: clockedSteps(onEvent),
      });
      return { name: swappedName(job.model.name, chosen.to), blob: await output.blob(), report };
    }),

  rank: (job, before, onEvent) =>
    answer(async () => {
      const { model, provider, read, swap } = await prepare(job);
      const step = clockedSteps(onEvent);
      await withSession(model.file, { provider }, (session) => {
        const samples = read(session.inputs, session.outputs, { [ANY]: 1 });
        return sendDoubt(model, samples, { provider, session, input: job.choice.input }, onEvent);
      });
      return rankModel(model, {
        ...swap,
        data: read,
        provider,
        beta: betaOf(job.choice),
        before: before ?? undefined,
        onMeasured: (ranking) => onEvent({ kind: 'ranking', ranking }),
        onProgress: ({ stage, site, sites, done }) =>
          step(`${stage} site ${site} of ${integer(sites)}`, done, 1, 'ranking'),
      });
    }),
};

/** Reads the model and the samples. */
async function prepare({ model: sent, files, choice, include }: RepairJob): Promise<{
  readonly model: LoadedModel;
  readonly provider: Provider;
  readonly read: DataMaker;
  readonly swap: Pick<SwapOptions, 'to' | 'form' | 'leaky' | 'include'>;
}> {
  const { dims, shapes, input, swap } = choice;
  const make = await readInput(input, { shapes });
  return {
    model: await loadModel(sent, files),
    provider: pageProvider(REFERENCE, ortBase(), await externalOf(files)),
    read: (inputs, outputs, more) => make(inputs, outputs, { ...more, ...dims }),
    // Where Mish cannot be repaired, a LeakyReLU becomes a mixture, as by the command line’s default.
    swap: {
      to: swap.to,
      include,
      form: swap.to === undefined ? swap.form : undefined,
      leaky: swap.to === undefined && swap.leaky === 'mixture' ? 'mixture' : undefined,
    },
  };
}

/** Returns the sharpness of Mish at all sites; undefined for another activation. */
const betaOf = ({ swap: { to, beta } }: RepairChoice) => (to === undefined ? beta : undefined);

expose(repairer);
