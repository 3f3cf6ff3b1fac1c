// The recipes for many models on many machines, run as each machine would run them.
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { cli, MAIN } from '../support/cli.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { reluModel } from '../support/graph.js';
import { isHeavy } from '../support/heavy.js';

const run = promisify(execFile);
const examples = fileURLToPath(new URL('../../examples/batches/', import.meta.url));
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

/** A folder with models, and a command onnx-mish on the path. */
async function cluster(): Promise<Folder & { readonly path: string }> {
  const folder = await tempFolder();
  await mkdir(folder.at('models'));
  await mkdir(folder.at('bin'));
  for (const name of NAMES) await folder.write(`models/${name}.onnx`, reluModel());
  // By default the timing is short.
  const validate = { pairs: 5, seconds: 0.1 };
  if (!isHeavy) await folder.write('onnx-mish.config.json', JSON.stringify({ validate }));
  await writeFile(folder.at('bin/onnx-mish'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  await chmod(folder.at('bin/onnx-mish'), 0o755);
  return folder;
}

const swapped = async (folder: Folder) =>
  (await folder.list()).filter((name) => name.startsWith('swapped/') && name.endsWith('.onnx')).toSorted();
const ALL = NAMES.map((name) => `swapped/${name}.mish.onnx`);

test('the tasks of the Slurm array take each model once, also those that are started again', async () => {
  const folder = await cluster();
  const script = await readFile(`${examples}slurm.sh`, 'utf8');
  const [, first = '', last = ''] = /^#SBATCH --array=(\d+)-(\d+)$/m.exec(script) ?? [];
  const tasks = Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => Number(first) + at);
  const start = (task: number) =>
    run('bash', [`${examples}slurm.sh`], {
      cwd: folder.path,
      env: {
        PATH: `${folder.at('bin')}:${process.env.PATH}`,
        ...{
          SLURM_ARRAY_TASK_ID: `${task}`,
          SLURM_ARRAY_TASK_MIN: first,
          SLURM_ARRAY_TASK_COUNT: `${tasks.length}`,
        },
      },
    });
  for (const task of tasks) await start(task);
  expect(await swapped(folder)).toEqual(ALL);
  const lines = await Promise.all(tasks.map((task) => readFile(folder.at(`swap.${task}.jsonl`), 'utf8')));
  const inputs = lines.flatMap((text) => text.trim().split('\n')).map((line) => JSON.parse(line).input);
  expect(inputs.toSorted()).toEqual(NAMES.map((name) => `models/${name}.onnx`));
  const cases = await Promise.all(
    tasks.map(async (task) =>
      (await readFile(folder.at(`validate.${task}.xml`), 'utf8')).match(/<testcase /g),
    ),
  );
  expect(cases.flat()).toHaveLength(NAMES.length);
  await start(tasks[1] ?? 0);
  expect(await swapped(folder)).toEqual(ALL);
}, 120_000);

test('the pods of the Kubernetes Indexed Job take each model once', async () => {
  const folder = await cluster();
  const { apiVersion, kind, spec } = JSON.parse(await readFile(`${examples}kubernetes.json`, 'utf8'));
  expect([apiVersion, kind, spec.completionMode]).toEqual(['batch/v1', 'Job', 'Indexed']);
  const [container] = spec.template.spec.containers;
  const [npx, name, ...args] = container.command;
  expect([npx, name]).toEqual(['npx', 'onnx-mish']);
  expect(args).toContain(`--shard=auto/${spec.completions}`);
  expect(container.volumeMounts[0].mountPath).toBe(container.workingDir);
  for (let pod = 0; pod < spec.completions; pod++) {
    const env = { JOB_COMPLETION_INDEX: `${pod}` };
    expect(await cli(args, { cwd: folder.path, env })).toMatchObject({ code: 0, stderr: '' });
  }
  expect(await swapped(folder)).toEqual(ALL);
});
