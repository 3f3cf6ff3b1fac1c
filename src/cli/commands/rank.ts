import { Command, Option } from 'commander';
import { INT8_WAYS } from '../../mish/int8-ways.js';
import { dataOptions } from '../options/data-options.js';
import { GROUPS } from '../options/groups.js';
import {
  activationOptions,
  commonOptions,
  configOptions,
  count,
  dataAccess,
  formOptions,
  number,
  siteOptions,
  some,
} from '../options/options.js';
import type { Flags } from './run-rank.js';

export function command(): Command {
  const command = new Command('rank')
    .summary('swap one site at a time, and list the sites from harmless to harmful')
    .description(
      'Swaps one activation at a time in memory, runs the result on samples, and lists the sites by how far the outputs moved from the original’s.',
    )
    .argument('<model>', 'the original, an ONNX file; - is standard input');
  dataOptions(command, 'random for noise').option(
    '--samples <number>',
    'maximal number of samples (default: 256; 32 for noise)',
    some,
  );
  const leaky = new Option('--leaky <kind>', 'what LeakyRelu becomes (default: mish)');
  siteOptions(activationOptions(command)).addOption(leaky.choices(['mish', 'mixture']));
  const int8 = new Option('--int8 <how>', 'rank quantised sites as well, with new scales').choices(INT8_WAYS);
  formOptions(command)
    .option('--beta <number>', 'sharpness β of Mish', number)
    .addOption(int8.conflicts('to'));
  const top = new Option(
    '--top <number>',
    'measure only this many sites, the most harmless by the estimate',
  ).argParser(count);
  command
    .optionsGroup(GROUPS.measures)
    .addOption(new Option('--estimate', 'rank by the estimate, without measurements').conflicts('top'))
    .addOption(top)
    .option('--resume <file>', 'continue the ranking in this file, and save it after every site')
    .optionsGroup(GROUPS.output)
    .option('--report <file>', 'write the ranking as a single self-contained HTML file; - is standard output')
    .option('-f, --force', 'overwrite the report if it exists');
  return commonOptions(configOptions(dataAccess(command)))
    .addHelpText(
      'after',
      `
For each site swapped alone:
  estimate   SQNR over 16 of the samples: 16 times cheaper than over 256, and nearly the same order
  SQNR       signal to noise of the output that moved most, in dB; the sites are listed by it
  max abs    the largest difference of an output element
  agreement  the share of rows whose top class stays, where an output looks like class scores
  accuracy   what top-1, or the share of right labels or places, gains, in percentage points (a loss is
             negative), with --labels or --images
A big model can be ranked by the estimate (--estimate) and checked at the top (--top 10). With --resume nothing is
measured twice: what was interrupted goes on, and --top can be raised. The file has to be of the same model, samples
and activation. --json prints an onnx-mish/ranking@1, from which a plan for swap is a line of jq.

Examples:
  $ onnx-mish rank model.onnx --data samples.npz
  $ onnx-mish rank model.onnx --images test-set --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --resume ranking.json
  $ onnx-mish rank model.onnx --data samples.npz --top 10 --report ranking.html
  $ onnx-mish rank model.onnx --data samples.npz --to hardswish
  $ onnx-mish rank model.onnx --data samples.npz --json > ranking.json
  $ jq '{schema: "onnx-mish/plan@1", to: (.to // "mish"), int8, form, beta, sites: .sites[:8]} | del(.. | nulls)' ranking.json > plan.json`,
    )
    .action(async (model: string, flags: Flags) => {
      const { run } = await import('./run-rank.js'); // slow to load, and not needed for help
      await run(model, flags);
    });
}
