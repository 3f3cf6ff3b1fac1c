import { Command } from 'commander';
import { undoDocument } from '../mish/metadata.js';
import { type FileOptions, undoFile } from '../node/transform.js';
import { interruptible } from './exit.js';
import { piped } from './files.js';
import { commonOptions, outputOptions } from './options.js';
import { clean, integer } from './text.js';

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

async function run(input: string, flags: FileOptions & { json?: boolean }): Promise<void> {
  const options = { ...flags, signal: interruptible() };
  const output = flags.output ?? (input === '-' ? '-' : undefined);
  const written =
    input === '-' || output === '-'
      ? await piped(input, output ?? '-', options, async (document) => {
          const restored = await undoDocument(document);
          return { output: restored, report: { bytes: restored.size } };
        })
      : await undoFile(input, options);
  const print = written.output === '-' ? console.error : console.log;
  const { bytes } = written.report;
  if (flags.json) print(JSON.stringify({ input, output: written.output, bytes }, null, 2));
  else print(`${clean(input)} → ${clean(written.output)}\n  ${integer(bytes)} bytes, as before the swap`);
}
