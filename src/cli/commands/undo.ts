import { Command } from 'commander';
import { undoDocument, undoReport } from '../../mish/history.js';
import { undoFile } from '../../node/transform-file.js';
import { runTransformation, type TransformFlags } from '../io/transform.js';
import { chooseModels, MANY_HELP, type ManyFlags, manyOptions } from '../options/many-options.js';
import { commonOptions, configOptions, dataAccess, outputOptions, quietOption } from '../options/options.js';
import { beQuiet } from '../text/say.js';
import { clean, integer } from '../text/text.js';

/** Texts for the kinds of check after an undo. */
const COMPARED = { file: 'whole file', structure: 'all but weights', edits: 'replaced bytes' } as const;

export function command(): Command {
  const undo = new Command('undo')
    .summary('restore the model from before the swap')
    .description('Restores the model from before the last swap or retarget, byte for byte.');
  manyOptions(quietOption(outputOptions(undo, '<model>.undone.onnx')));
  return commonOptions(configOptions(dataAccess(undo)))
    .addHelpText(
      'after',
      `
The replaced nodes travel in the model's metadata_props (unless it was swapped with --no-undo). A file that
has been changed since is refused rather than restored wrongly: the result has to have the digest of the original. What
a record does not cover is said: external data, and the weights of a model that was swapped in a page.
${MANY_HELP}

Examples:
  $ onnx-mish undo model.mish.onnx -o model.onnx
  $ onnx-mish undo "zoo/**/*.mish.onnx" --out-dir originals`,
    )
    .action(run);
}

async function run(
  models: readonly string[],
  flags: TransformFlags & ManyFlags & { quiet?: boolean },
  command: Command,
): Promise<void> {
  if (flags.quiet) beQuiet();
  const chosen = chooseModels(models, flags, command);
  if ('one' in chosen) {
    return runTransformation(chosen.one, flags, {
      file: undoFile,
      async document(document) {
        const output = await undoDocument(document);
        return { output, report: undoReport(output) };
      },
      describe: ({ bytes, notes }) => [
        `  ${integer(bytes)} bytes, as before the swap`,
        ...notes.map((note) => `  note: ${clean(note)}`),
      ],
    });
  }
  const { transformMany } = await import('../io/transform-many.js'); // loaded late: the table library is slow to load
  return transformMany(chosen.many, flags, {
    command: 'undo',
    file: undoFile,
    tag: 'undone',
    done: 'undone',
    head: ['bytes', 'compared'],
    row: ({ bytes, proof }) => [integer(bytes), COMPARED[proof]],
  });
}
