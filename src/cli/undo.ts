import { Command } from 'commander';
import { undoDocument } from '../mish/metadata.js';
import { undoFile } from '../node/transform.js';
import { commonOptions, outputOptions } from './options.js';
import { integer } from './text.js';
import { runTransformation, type TransformFlags } from './transform.js';

export function command(): Command {
  const undo = new Command('undo')
    .summary('the model as it was before the swap')
    .description('Gives back the model as it was before the last swap or retarget, byte for byte.')
    .argument('<model>', 'a file that onnx-mish wrote; - is standard input');
  outputOptions(undo, '<model>.undone.onnx');
  return commonOptions(undo)
    .addHelpText(
      'after',
      `
The replaced nodes travel in the model's metadata_props (unless it was swapped with --no-undo). A file that
has been changed since is refused rather than restored wrongly.

Examples:
  $ onnx-mish undo model.mish.onnx -o model.onnx`,
    )
    .action(run);
}

function run(input: string, flags: TransformFlags): Promise<void> {
  return runTransformation(input, flags, {
    file: undoFile,
    async document(document) {
      const output = await undoDocument(document);
      return { output, report: { bytes: output.size } };
    },
    describe: ({ bytes }) => [`  ${integer(bytes)} bytes, as before the swap`],
  });
}
