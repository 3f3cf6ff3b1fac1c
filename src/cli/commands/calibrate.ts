import { Command, Option } from 'commander';
import { dataOptions } from '../options/data-options.js';
import {
  beta,
  collect,
  commonOptions,
  count,
  dataAccess,
  formOptions,
  outputOptions,
  positive,
  siteOptions,
  some,
} from '../options/options.js';
import type { Flags } from './run-calibrate.js';

export function command(): Command {
  const command = new Command('calibrate')
    .summary('swap, and repair what that does to the outputs, without labels')
    .description(
      'Replaces activations with Mish and solves the weights after them anew, so that the model gives what the original gave. It needs samples such as the model will see, and no labels.',
    )
    .argument('<model>', 'the original, an ONNX file');
  outputOptions(command, '<model>.mish.onnx', { pipes: false });
  dataOptions(command, 'random for noise, which is worth little').option(
    '--samples <number>',
    'samples to take at the most',
    some,
    512,
  );
  formOptions(siteOptions(command))
    .option(
      '--beta <number>',
      'sharpness β, or auto for the smallest that keep a budget, each site its own',
      beta,
    )
    .option(
      '--keep <limit>',
      'what --beta auto has to keep: agreement>=0.98, sqnr>=30, top1-drop<=0.5 (repeatable)',
      collect,
    )
    .addOption(
      new Option('--leaky <kind>', 'what LeakyRelu becomes (default: mish)').choices(['mish', 'mixture']),
    )
    .option(
      '--fold',
      'put β into the weights around a site where that changes nothing: it costs no node then',
    )
    .option('--layers <glob>', 'repair only layers whose node or output name matches (repeatable)', collect)
    .option('--rows <number>', 'rows that the weights of a layer are solved from, about', some, 15_000)
    .option(
      '--ridge <share>',
      'the one ridge for all layers (default: chosen for each on held-out samples)',
      positive,
    )
    .option('--steps <number>', 'gradient steps on all layers together, 0 for none', count, 200)
    .option('--threads <number>', 'threads within an operator (default: what ONNX Runtime chooses)', count)
    .option(
      '--report <file>',
      'write the report as one HTML file that needs nothing else; - is standard output',
    )
    .option('--all', 'list every layer rather than the first and the last ones');
  return commonOptions(dataAccess(command))
    .addHelpText(
      'after',
      `
Samples are split, by --seed: three quarters to solve weights from, an eighth to decide which to keep, and an eighth by
which original, plain swap and result are compared in the end. A result that is further from the original than the plain
swap is not written; the plain swap is, and the report says so. Layers are solved in the order in which they run
(ridge regression), then gradient steps move all of them together. The same seed gives the same file.

--beta auto looks for the smallest sharpness: β = 1 is Mish, and the larger it is, the nearer is Mish to ReLU. The report
says for each site its β and the share of inputs for which it bends (|βx| < 4): where that is small, it is ReLU in
all but name. Under --leaky mixture a LeakyRelu becomes αx + (1 − α)·Mish, which is no Mish either.
With --target webgl, what WebGL is known to compute wrong is written so that it is right, as swap does.
What was repaired cannot be undone: keep the original. Weights from data files come into the model itself.

Examples:
  $ onnx-mish calibrate model.onnx --data samples.npz
  $ onnx-mish calibrate model.onnx --data samples.npz --target webgl -o public/model.onnx --report repair.html
  $ onnx-mish calibrate model.onnx --data samples.npz --beta auto --keep 'agreement>=0.99'
  $ onnx-mish calibrate model.onnx --images train --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --samples 1000`,
    )
    .action(async (model: string, flags: Flags) => {
      const { run } = await import('./run-calibrate.js'); // heavy, and not needed for help
      await run(model, flags);
    });
}
