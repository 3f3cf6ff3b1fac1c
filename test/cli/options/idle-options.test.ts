import { describe, expect, test } from 'vitest';
import { IDLE_OPTIONS } from '../../../src/cli/options/idle-options.js';
import { cli } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';

/** Values of options, where they need one. */
const VALUES: Readonly<Record<string, string>> = {
  ...{ ignoreLabel: '255', seed: '3', form: 'exp', target: 'cpu', beta: '2', pairs: '5', seconds: '1' },
  ...{
    browser: 'chrome',
    timeout: '9',
    swappedDir: 'out',
    shard: '1/2',
    port: '8080',
    host: '127.0.0.1',
    deviceId: '1',
    span: '2',
    patience: '3',
  },
};
const flagOf = (option: string) => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
const given = (option: string) => [flagOf(option), ...[VALUES[option] ?? []].flat()];

/** For each reason: arguments with which the options have no effect, and arguments with which they have one. */
const REASONS: Readonly<Record<string, readonly [idle: string, used: string]>> = {
  'without labels': ['--data s.npz', '--data s.npz --labels y'],
  'without samples': ['', '--data random'],
  'without a --beta other than 1': ['--beta 1', '--beta 4'],
  'without --install': ['', '--install nothing'],
  'with --install': ['--install nothing', ''],
  'without --keep': ['', '--keep sqnr>=1 --data random'],
  'on samples, since it makes random inputs': ['--data s.npz', '--data random'],
  'where the swapped model is given': ['m.mish.onnx', ''],
  'with --export': ['--export site', ''],
  'with --no-latency': ['--no-latency', ''],
  'without a provider in a browser': ['--providers cpu,cuda', '--providers cpu,webgl'],
  'without cuda, tensorrt or dml': ['--providers cpu,wasm', '--providers cuda'],
  'without a GPU provider of onnxruntime-node': ['--providers cpu,wasm', '--providers coreml'],
  'without a provider of onnxruntime-node': ['--providers wasm', '--providers cpu'],
  'with --no-landscape': ['--no-landscape', '--landscape 5'],
  'with --validation 0': ['--validation 0', '--validation 0.2'],
};
const words = (text: string) => text.split(' ').filter((word) => word !== '');

describe.each(IDLE_OPTIONS)('$command $options $why', ({ command, options, why }) => {
  const [idle, used] = REASONS[why] ?? ['', ''];
  const called = command === 'doctor' ? [command] : [command, 'm.onnx'];

  test.each(options)('--%s is refused where it has no effect, and only there', async (option) => {
    const { path: cwd } = await tempFolder();
    // There is no model: where the option is no error, that is one.
    const run = async (more: string) => cli([...called, ...words(more), ...given(option)], { cwd });
    expect(await run(idle)).toMatchObject({
      ...{ code: 2, stdout: '' },
      stderr: `onnx-mish: ${flagOf(option)} has no effect ${why}\n  Leave it out.\n`,
    });
    expect((await run(used)).stderr).not.toContain('has no effect');
  });

  test.each(options)('--%s of a configuration is for other runs', async (option) => {
    const folder = await tempFolder();
    const value = VALUES[option] ?? true;
    const config = { [command]: { [option]: Number.isNaN(Number(value)) ? value : Number(value) } };
    await folder.write('onnx-mish.config.json', JSON.stringify(config));
    const { stderr } = await cli([...called, ...words(idle)], { cwd: folder.path });
    expect(stderr).not.toContain('has no effect');
  });
});
