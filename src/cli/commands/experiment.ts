import { Command, Option } from 'commander';
import { arrayOptions } from '../options/data-options.js';
import { GROUPS } from '../options/groups.js';
import { imageOptions } from '../options/image-options.js';
import {
  collectValues,
  commonOptions,
  configOptions,
  count,
  dataAccess,
  list,
  positive,
  some,
} from '../options/options.js';
import { shardOption } from '../options/shard.js';
import { trainingOptions } from '../options/training-options.js';
import type { Flags } from './run-experiment.js';

const HELP = `
Each activation is at the same sites, and each seed gives all activations the same random numbers for the initial weights
and the same batches. The weights of the model are not used. --data is for training only, and --test takes part in no
choice; without --test, a tenth of the data is the test part.

After each epoch a run is saved in the folder <output>.runs, and a finished run has a file there. A stopped experiment
goes on with --resume, to the same result as without a stop; --resume of a finished experiment shows its report.

With --shard i/n a machine does every n-th run, and its number is added to the names of its files. Then
\`onnx-mish report part1.json part2.json ...\` merges the parts. --shard auto takes the part from a Slurm array, from a
build server's matrix, or, as auto/n, from a Kubernetes Indexed Job.

The report is an onnx-mish/experiment@1 (onnx-mish/experiment.schema.json).

Examples:
  $ onnx-mish experiment model.onnx --data train.npz --labels y --test test.npz
  $ onnx-mish experiment model.onnx --data train.npz --labels y --activations relu,mish,gelu --epochs 20 --seeds 5
  $ onnx-mish experiment model.onnx --data train.npz --labels y --augment flip,crop --report out.html
  $ onnx-mish experiment model.onnx --data train.npz --labels y --shard 2/4
  $ onnx-mish experiment model.onnx --data train.npz --labels y --resume`;

export function command(): Command {
  const command = new Command('experiment')
    .summary('train an architecture anew with each activation, and compare')
    .description(
      'Trains an architecture from new weights with ReLU, LeakyReLU, Swish, Mish or other activations, with several seeds, and compares their accuracies: the experiment of the Mish paper for any model.',
    )
    .argument('<model>', 'an ONNX file; only its architecture is used');
  command
    .optionsGroup(GROUPS.samples)
    .option('--data <path>', 'samples: an .npz with an array for each input')
    .option('--labels <array>', 'array of the .npz with the classes')
    .option('--targets <array>', 'array of the .npz with other targets, in the shape of the output');
  imageOptions(arrayOptions(command))
    .option('--samples <number>', 'maximal number of samples, taken evenly from all; of --test, too', some)
    .option('--test <path>', 'samples for the test, as --data or --images (default: a tenth of the samples)');
  command
    .optionsGroup(GROUPS.what)
    .option('--activations <names>', 'activations to compare (default: relu,leakyrelu,swish,mish)', list)
    .option('--only <kinds>', 'kinds of activations to exchange (default: relu,leakyrelu,mish)', list)
    .option('--include <glob>', 'exchange only activations whose name matches (repeatable)', collectValues)
    .option('--exclude <glob>', 'keep activations whose name matches (repeatable)', collectValues);
  trainingOptions(command, { epochs: 50, warmUp: 0 });
  command
    .option('--seeds <number>', 'number of trainings of each activation', some, 3)
    .option('--seed <number>', 'the first seed', count, 0)
    .option(
      '--bn',
      'batch normalisation behind each convolution (default: if the model has convolutions and no normalisation)',
    )
    .option('--no-bn', 'no batch normalisation behind convolutions')
    .optionsGroup(GROUPS.measures)
    .option('--landscape <points>', 'points along each direction of the loss landscape (default: 21)', some)
    .option('--no-landscape', 'no loss landscape')
    .option('--span <norms>', 'distance of the landscape’s edge, in filter norms', positive, 1)
    .optionsGroup(GROUPS.runs)
    .addOption(shardOption('runs'))
    .option('--resume', 'go on with the runs of a stopped experiment')
    .option('--jobs <number>', 'processes (default: one for each core)', some)
    .option('--threads <number>', 'threads of each process', some, 1)
    .addOption(new Option('--worker').hideHelp())
    .optionsGroup(GROUPS.output)
    .option('-o, --output <file>', 'JSON report (default: <model>.experiment.json)')
    .option('-f, --force', 'overwrite existing files, and the runs of a stopped experiment')
    .option('--report <file>', 'write the report as a single self-contained HTML file; - is standard output');
  return commonOptions(configOptions(dataAccess(command)))
    .addHelpText('after', HELP)
    .action(async (model: string, flags: Flags) => {
      if (flags.worker) return (await import('./experiment-worker.js')).work();
      const { run } = await import('./run-experiment.js'); // slow to load, and not needed for help
      await run(model, flags);
    });
}
