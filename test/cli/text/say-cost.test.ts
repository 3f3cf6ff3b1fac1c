import { describe, expect, test } from 'vitest';
import { cli, cliJson } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';
import { reluModel } from '../../support/graph.js';

describe('swap tells the cost', () => {
  const COST = { withCost: true };
  const SAYS = /times as long on CPUs/;

  test('once, on standard error, with the command that measures', async () => {
    const folder = await tempFolder();
    const path = await folder.write('my net.onnx', reluModel());
    const { stdout, stderr } = await cli(['swap', path], COST);
    expect(stdout).not.toMatch(SAYS);
    expect(stderr).toBe(
      `note: a run takes 1.4 to 7.8 times as long on CPUs in the softplus form, 1.04 to 1.6 with --target cpu; onnx-mish validate '${path}' '${folder.at('my net.mish.onnx')}' measures yours\n`,
    );
    const exp = await cli(['swap', path, '--target', 'cpu', '--force'], COST);
    expect(exp.stderr).toMatch(
      /^note: a run takes 1\.04 to 1\.6 times as long on CPUs in the exp form; onnx-mish validate /,
    );
    const approximate = await cli(['swap', path, '--form', 'hard', '--force'], COST);
    expect(approximate.stderr).toMatch(
      /^note: a run takes 1\.16 to 1\.39 times as long on CPUs in the hard form, where the exp form takes 1\.51 to 2\.29; onnx-mish validate /,
    );
    const many = await cli(['swap', path, path.replace('my net', '*'), '--out-dir', folder.at('out')], COST);
    expect(many.stderr.match(/times as long/g)).toHaveLength(1);
  });

  test('without the note that the form is slow, which a dry run and --json keep', async () => {
    const folder = await tempFolder();
    const path = await folder.write('net.onnx', reluModel());
    for (const options of [[], ['--opset', '18', '--form', 'native']]) {
      const slow = options.length === 0 ? 'Softplus is slow' : 'slow softplus form';
      const said = async (more: readonly string[]) => cli(['swap', path, ...options, ...more], COST);
      const { stdout } = await said(['--force']);
      expect(stdout).not.toContain(slow);
      expect(stdout).toContain('webgl: ');
      expect((await said(['--dry-run'])).stdout).toContain(slow);
      expect((await said(['--json', '--force'])).stdout).toContain(slow);
    }
  });

  test('with a command that compares two models, also where the output replaced the input', async () => {
    const folder = await tempFolder();
    const path = await folder.write('net.onnx', reluModel());
    const { stderr } = await cli(['swap', path, '-o', path, '--force'], COST);
    expect(stderr).toContain(`; onnx-mish validate original.onnx ${path} measures yours`);
  });

  test('not with --json, --quiet or --dry-run, and not without Mish', async () => {
    const folder = await tempFolder();
    const path = await folder.write('net.onnx', reluModel());
    const silent = await cli(['swap', path, '--quiet'], COST);
    expect([silent.code, silent.stdout, silent.stderr]).toEqual([0, '', '']);
    const { stderr, json } = await cliJson(['swap', path, '--quiet', '--force'], COST);
    expect([json.sites.length, stderr]).toEqual([1, '']);
    for (const more of [['--dry-run'], ['--to', 'elu'], ['--exclude', '*', '--force']]) {
      expect((await cli(['swap', path, ...more], COST)).stderr).not.toMatch(SAYS);
    }
  });
});
