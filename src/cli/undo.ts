import { Command } from 'commander';
import { undoDocument } from '../mish/metadata.js';
import { type FileOptions, undoFile } from '../node/transform.js';
import { interruptible } from './exit.js';
import { outputArgument, piped } from './files.js';
import { commonOptions, outputOptions } from './options.js';
import { progress } from './progress.js';
import { say, sayJson } from './say.js';
import { clean, describeCopied, integer } from './text.js';

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
  const output = outputArgument(input, flags.output);
  const bar = progress('writing');
  const options = { ...flags, onProgress: bar.update, signal: interruptible() };
  const { report, ...written } = await (input === '-' || output === '-'
    ? piped(input, output ?? '-', options, async (document) => {
        const restored = await undoDocument(document);
        return { output: restored, report: { bytes: restored.size } };
      })
    : undoFile(input, options)
  ).finally(bar.end);
  if (flags.json) return sayJson({ input, ...written, ...report });
  const lines = [
    `${clean(input)} → ${clean(written.output)}`,
    `  ${integer(report.bytes)} bytes, as before the swap`,
    ...describeCopied(written.copied),
  ];
  say(lines.join('\n'));
}
