// A process that trains the runs of an experiment, on the orders of another process.
import { basename } from 'node:path';
import { isAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { prepareExperiment } from '../../experiment/prepare.js';
import { localWorker } from '../../node/experiment-local.js';
import {
  type RunWorker,
  sentError,
  type WorkerReply,
  type WorkerRequest,
} from '../../node/experiment-workers.js';
import { withModel } from '../../node/load-model.js';
import { interruptible } from '../io/exit.js';
import { experimentOptions, type RunFlags } from './experiment-options.js';

/** The first message: what to train. */
export interface Start {
  readonly kind: 'start';
  readonly input: string;
  readonly flags: RunFlags;
  /** Folder of the runs' files. */
  readonly folder: string;
  /** Digest of the experiment of the other process. */
  readonly digest: string;
}

/** Works until the other process ends or disconnects. */
export async function work(): Promise<void> {
  if (process.send === undefined) {
    throw new OnnxMishError('bad-usage', '--worker is for processes that experiment starts', {
      fix: 'Leave out --worker',
    });
  }
  const signal = interruptible();
  const messages = createInbox(signal);
  const start = await messages.next();
  if (start?.kind !== 'start') return;
  const { input, flags, folder, digest } = start;
  const options = experimentOptions(flags, signal);
  try {
    await withModel(
      input,
      async (model) => {
        const experiment = await prepareExperiment({ ...model, name: basename(input) }, options);
        if (experiment.digest !== digest) throw changed();
        const worker = localWorker(experiment, folder);
        for (let one = await messages.next(); one !== undefined; one = await messages.next())
          if (one.kind !== 'start') await serve(worker, one);
      },
      options,
    );
  } catch (error) {
    await send({ kind: 'failed', error: sentError(error) });
  }
  if (process.connected) process.disconnect();
}

/** Returns the error for a model or samples that are not those of the other process, which read them before. */
const changed = () =>
  new OnnxMishError('io', 'the model or the samples changed since the experiment began', {
    fix: 'Restore them, and go on with the runs',
    option: { resume: null },
  });

async function serve(worker: RunWorker, request: WorkerRequest): Promise<void> {
  const sending = (reply: WorkerReply) => void send(reply);
  try {
    if (request.kind === 'measure')
      await send({ kind: 'measured', times: await worker.measure(request.activation) });
    else {
      const run = await worker.train(request.key, {
        onEpoch: (key, epoch) => sending({ kind: 'epoch', key, epoch }),
        onPoint: (key, done, of) => sending({ kind: 'point', key, done, of }),
      });
      await send({ kind: 'trained', run });
    }
  } catch (error) {
    if (isAborted(error)) throw error;
    await send({ kind: 'failed', error: sentError(error) });
  }
}

function send(reply: WorkerReply): Promise<void> {
  return new Promise((resolve) => {
    // A parent that has gone needs no reply.
    if (process.send === undefined || !process.connected) resolve();
    else process.send(reply, undefined, undefined, () => resolve());
  });
}

/** Returns the messages of the parent, one at a time; undefined when the parent disconnects or the signal aborts. */
function createInbox(signal: AbortSignal) {
  const waiting: (Start | WorkerRequest | undefined)[] = [];
  let wake: (() => void) | undefined;
  const add = (message: Start | WorkerRequest | undefined) => {
    waiting.push(message);
    wake?.();
  };
  process.on('message', (message) => add(message as Start | WorkerRequest));
  // Without a parent nobody wants the result. The signal stops a run at its next step, and its checkpoint stays.
  process.once('disconnect', () => {
    process.kill(process.pid, 'SIGTERM');
    add(undefined);
  });
  signal.addEventListener('abort', () => add(undefined), { once: true });
  return {
    async next(): Promise<Start | WorkerRequest | undefined> {
      if (waiting.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return waiting.shift();
    },
  };
}
