import { Command, Option } from 'commander';
import { INT8_WAYS } from '../../mish/int8-ways.js';
import { dataOptions } from '../options/data-options.js';
import {
  activationOptions,
  beta,
  collectValues,
  commonOptions,
  configOptions,
  count,
  dataAccess,
  formOptions,
  number,
  outputOptions,
  positive,
  siteOptions,
  some,
} from '../options/options.js';
import type { Flags } from './run-calibrate.js';

const HELP = `
Samples are split, by --seed: three quarters to solve weights from, an eighth to decide which to keep, and an eighth (of
more than 512 samples a quarter, up to 1,000) by which original, unrepaired swap and result are compared in the end.
If the result is further from the original than the unrepaired swap with the same β, the unrepaired swap is written, and
the report says so. Layers are solved in the order in which they run (ridge regression), then gradient steps move all of
them together.

Of images of at least 512 × 512, windows of 128 × 128 to 1,024 × 1,024 are used, where the model gives the same in them as in the whole image. The report
says so. Otherwise, and where the model's input has a fixed size, images stay whole.

The same seed and --steps give the same file on the same machine.

β = 1 is Mish, and the larger β is, the nearer is Mish to ReLU. By default each site gets the largest β, at least 1, at which
three quarters of its inputs still lie where Mish bends (|βx| < 4). β goes into the weights before and after the site; no node
is added. With --to, Swish (|βx| < 4), HardSwish (|βx| < 3) and GELU (|βx| < 2) get such a β as well: f(βx)/β; LeakyReLU and ELU have
none. Where the weights cannot take β, the site keeps β = 1. --beta 1 is the unscaled function. --beta auto, for Mish, raises these
β further until the budget of --keep holds. The report says for each site its β and the share of inputs for which it bends:
where that is small, Mish is ReLU in all but name.

The mixture for LeakyRelu (--leaky) is αx + (1 − α)·Mish, which is not Mish itself.

Quantised models (--int8): the model without its QuantizeLinear and DequantizeLinear nodes is swapped and repaired, then quantised
anew: weights, biases, and the tensors between layers, whose ranges come from samples. exact and qlinear write what swap --int8
writes. All figures compare quantised models; the plain swap is that of swap --int8.

With --target webgl, nodes that WebGL is known to compute wrong are rewritten, as swap does; not with --int8.

What was repaired cannot be undone: keep the original. Weights from data files come into the model itself.

Examples:
  $ onnx-mish calibrate model.onnx --data samples.npz
  $ onnx-mish calibrate model.onnx --data samples.npz --target webgl -o public/model.onnx --report repair.html
  $ onnx-mish calibrate quantised.onnx --data samples.npz --int8 qlinear
  $ onnx-mish calibrate model.onnx --data samples.npz --to hardswish
  $ onnx-mish calibrate model.onnx --data samples.npz --beta auto --keep "agreement>=0.99"
  $ onnx-mish calibrate model.onnx --images train --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --samples 1000`;

export function command(): Command {
  const command = new Command('calibrate')
    .summary('swap, and repair the outputs without labels')
    .description(
      'Replaces activations with Mish, or with the activation of --to, and recomputes the weights after them so that the outputs stay close to the original’s. Needs typical samples, but no labels.',
    )
    .argument('<model>', 'the original, an ONNX file');
  dataOptions(command, 'random for noise, which repairs little').option(
    '--samples <number>',
    'maximal number of samples (default: 20000; 512 for noise)',
    some,
  );
  const leaky = new Option(
    '--leaky <kind>',
    'what LeakyRelu becomes (default: mish, or the mixture if only that comes near the original)',
  );
  const int8 = new Option('--int8 <how>', 'swap quantised sites, with scales from the samples').choices(
    INT8_WAYS,
  );
  siteOptions(activationOptions(command))
    .addOption(leaky.choices(['mish', 'mixture']))
    .addOption(int8.conflicts(['to', 'fold']));
  formOptions(command)
    .option(
      '--beta <number>',
      'sharpness β of all sites: 1 is Mish; auto raises the default until the budget of --keep holds',
      beta,
    )
    .option(
      '--curved <share>',
      'choose each β so that this share of a site’s inputs lies on the bend; β goes into weights (default: 0.75)',
      number,
    )
    .option(
      '--keep <limit>',
      'budget of --beta auto: agreement>=0.98, sqnr>=30, top1-drop<=0.5 (repeatable)',
      collectValues,
    )
    .option('--fold', 'multiply β into the weights around a site where possible, which saves nodes')
    .option(
      '--judge-by <output>',
      'compare models by this output only (repeatable; default: all outputs of floats)',
      collectValues,
    )
    .option(
      '--layers <glob>',
      'repair only layers whose node or output name matches (repeatable)',
      collectValues,
    )
    .option(
      '--rows <number>',
      'approximate number of rows to solve the weights of a layer from',
      some,
      15_000,
    )
    .option(
      '--ridge <share>',
      'ridge for all layers (default: chosen per layer on held-out samples)',
      positive,
    )
    .option(
      '--steps <number>',
      'gradient steps on all layers together; 0 for none (default: rounds of 200 while they help)',
      count,
    )
    .option('--threads <number>', 'threads within an operator (default: chosen by ONNX Runtime)', count);
  outputOptions(command, '<model>.mish.onnx, or .<activation>.onnx with --to', { pipes: false })
    .option('--report <file>', 'write the report as a single self-contained HTML file; - is standard output')
    .option('--all', 'list every layer, not only the first and last');
  return commonOptions(configOptions(dataAccess(command)))
    .addHelpText('after', HELP)
    .action(async (model: string, flags: Flags) => {
      const { run } = await import('./run-calibrate.js'); // slow to load, and not needed for help
      await run(model, flags);
    });
}
