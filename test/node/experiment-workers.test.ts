import { expect, test } from 'vitest';
import { processWorker } from '../../src/node/experiment-workers.js';
import { tempFolder } from '../support/folder.js';

/** Answers every request as the first message says; `dies` many processes end themselves first. One that `waits` never answers. */
const PROGRAM = `
import { appendFileSync, readFileSync } from 'node:fs';
let start;
process.on('message', (message) => {
  if (start === undefined) return (start = message);
  appendFileSync(start.log, 'x');
  if (start.waits) return;
  if (readFileSync(start.log, 'utf8').length <= start.dies) process.kill(process.pid, 'SIGKILL');
  else if (start.fails) process.send({ kind: 'failed', error: { code: 'bad-data', what: 'no data', fix: 'Give some' } });
  else if (message.kind === 'measure') process.send({ kind: 'measured', times: { steps: 3 } });
  else {
    process.send({ kind: 'epoch', key: message.key, epoch: { epoch: 1 } });
    process.send({ kind: 'point', key: message.key, done: 1, of: 9 });
    process.send({ kind: 'trained', run: { seed: message.key.seed } });
  }
});
`;

const key = { activation: 'mish', seed: 7 } as const;

async function workerThat(start: { dies?: number; fails?: boolean; waits?: boolean }) {
  const folder = await tempFolder();
  const program = await folder.write('program.mjs', PROGRAM);
  const controller = new AbortController();
  const worker = processWorker({
    ...{ program, args: [], signal: controller.signal },
    start: { dies: 0, ...start, log: folder.at('log') },
  });
  return { worker, controller, started: async () => (await folder.read('log')).length };
}

const SILENT = { onEpoch() {}, onPoint() {} };

test('a process measures and trains, and tells its progress', async () => {
  const { worker } = await workerThat({});
  expect(await worker.measure('mish')).toEqual({ steps: 3 });
  const heard: unknown[] = [];
  const progress = {
    onEpoch: (...event: unknown[]) => void heard.push(event),
    onPoint: (...event: unknown[]) => void heard.push(event),
  };
  expect(await worker.train(key, progress)).toEqual({ seed: 7 });
  expect(heard).toEqual([
    [key, { epoch: 1 }],
    [key, 1, 9],
  ]);
  await worker.close();
});

test('a process that dies is replaced once', async () => {
  const { worker } = await workerThat({ dies: 1 });
  expect(await worker.train(key, SILENT)).toEqual({ seed: 7 });
  await worker.close();
  const { worker: other } = await workerThat({ dies: 2 });
  await expect(other.train(key, SILENT)).rejects.toMatchObject({
    code: 'run-failed',
    what: 'the process of mish with seed 7 ended 2 times (SIGKILL)',
  });
  await other.close();
});

test('the error of a run comes with its code, and no run starts after an abort', async () => {
  const { worker, controller } = await workerThat({ fails: true });
  await expect(worker.train(key, SILENT)).rejects.toMatchObject({
    code: 'bad-data',
    what: 'no data',
    fix: 'Give some',
  });
  await worker.close();
  controller.abort();
  await expect(worker.train(key, SILENT)).rejects.toMatchObject({ code: 'aborted' });
});

test('a process that `close` ends at work is not replaced', async () => {
  const { worker, started } = await workerThat({ waits: true });
  const training = worker.train(key, SILENT);
  const ended = expect(training).rejects.toMatchObject({ code: 'aborted' });
  await expect.poll(() => started().catch(() => 0), { timeout: 20_000 }).toBe(1);
  await worker.close();
  await ended;
  expect(await started()).toBe(1);
  await expect(worker.measure('mish')).rejects.toMatchObject({ code: 'aborted' });
});

test('a process that the system does not start is an error with advice', async () => {
  const { worker } = await workerThat({});
  const { execPath } = process;
  process.execPath = '/none';
  try {
    const failure = {
      code: 'run-failed',
      what: expect.stringMatching(/^a process cannot be started: .*ENOENT/),
    };
    await expect(worker.measure('mish')).rejects.toMatchObject(failure);
    await expect(worker.train(key, SILENT)).rejects.toMatchObject(failure);
    await worker.close();
  } finally {
    process.execPath = execPath;
  }
});
