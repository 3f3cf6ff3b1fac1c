import { Command, Option } from 'commander';
import { arrayOptions } from '../options/data-options.js';
import { GROUPS } from '../options/groups.js';
import { imageOptions } from '../options/image-options.js';
import {
  activationOptions,
  collectValues,
  commonOptions,
  configOptions,
  count,
  dataAccess,
  formOptions,
  number,
  outputOptions,
  siteOptions,
  some,
} from '../options/options.js';
import { share, trainingOptions } from '../options/training-options.js';
import type { Flags } from './run-finetune.js';

const HELP = `
The original is trained as long with the same batches, unless --no-control is given, and both are judged on the same
test samples: the difference has a 95 % interval and McNemar's p. Without --test, a tenth of the data is the test part. Give
unseen samples with --test if the original was trained on the data. No choice is made on the test part, and without
--patience none on the validation part.

After the repair and after each epoch the state is saved beside the output, as <output>.checkpoint. A stopped training goes
on with --resume, to the same result as without a stop. The same seed gives the same file on the same machine.

What was trained cannot be undone: keep the original. --json prints an onnx-mish/finetune@1
(onnx-mish/finetune.schema.json), which \`onnx-mish report\` shows again.

Examples:
  $ onnx-mish finetune model.onnx --data train.npz --labels y
  $ onnx-mish finetune model.onnx --data train.npz --labels y --test test.npz --seeds 3 --report finetune.html
  $ onnx-mish finetune model.onnx --images train --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --augment flip,crop
  $ onnx-mish finetune unet.onnx --data noisy.npz --targets clean --loss mse
  $ onnx-mish finetune model.onnx --data train.npz --labels y --resume`;

export function command(): Command {
  const command = new Command('finetune')
    .summary('swap, repair, and train with labels, beside a control')
    .description(
      'Replaces activations with Mish, or with the activation of --to, repairs the weights and trains the model with labels. Trains the original as long, to show what the swap is worth.',
    )
    .argument('<model>', 'the original, an ONNX file');
  command
    .optionsGroup(GROUPS.samples)
    .option('--data <path>', 'samples: an .npz with an array for each input')
    .option('--labels <array>', 'array of the .npz with the classes')
    .option('--targets <array>', 'array of the .npz with other targets, in the shape of the output');
  imageOptions(arrayOptions(command))
    .option('--samples <number>', 'maximal number of samples, taken evenly from all; of --test, too', some)
    .option('--validation <share>', 'share of the samples for validation, below 0.9', share, 0.1)
    .option('--test <path>', 'samples for the test, as --data or --images (default: a tenth of the samples)');
  trainingOptions(command, { epochs: 6, warmUp: 0.05 });
  finetuneOptions(command);
  const leaky = new Option('--leaky <kind>', 'what LeakyRelu becomes (default: mish)');
  siteOptions(activationOptions(command)).addOption(leaky.choices(['mish', 'mixture']));
  formOptions(command).option('--beta <number>', 'sharpness β (default: 1)', number);
  command
    .optionsGroup(GROUPS.training)
    .option('--no-calibrate', 'train from the plain swap, without repair')
    .option('--no-control', 'do not train the original; the report then says nothing about the activation')
    .option('--seeds <number>', 'number of trainings of each arm; the first is written', some, 1)
    .option('--seed <number>', 'seed of the split and of the batches', count, 0)
    .option('--resume [file]', 'go on from a checkpoint (default: the one beside the output)')
    .option('--threads <number>', 'threads within an operator (default: chosen by ONNX Runtime)', count);
  outputOptions(command, '<model>.mish.onnx, or .<activation>.onnx with --to', { pipes: false })
    .option('--report <file>', 'write the report as a single self-contained HTML file; - is standard output')
    .option('--all', 'list every weight and site');
  return commonOptions(configOptions(dataAccess(command)))
    .addHelpText('after', HELP)
    .action(async (model: string, flags: Flags) => {
      const { run } = await import('./run-finetune.js'); // slow to load, and not needed for help
      await run(model, flags);
    });
}

/** Adds the settings that only a fine-tuning has. */
function finetuneOptions(command: Command): void {
  command
    .option(
      '--freeze <glob>',
      'keep the weights and running statistics whose name matches (repeatable)',
      collectValues,
    )
    .addOption(
      new Option(
        '--bn <kind>',
        'statistics of batch normalisation: auto trains them from batches of 32 on, insert puts folded ones back to train them',
      )
        .choices(['auto', 'frozen', 'train', 'insert'])
        .default('auto'),
    )
    .option('--teacher [share]', 'mix the original’s outputs into the targets (share: 0.5)', share)
    .option('--patience <number>', 'stop after this many epochs without a better validation score', some);
}
