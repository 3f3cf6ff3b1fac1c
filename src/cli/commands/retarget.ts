import { Command, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { type RetargetOptions, type RetargetReport, retargetDocument } from '../../mish/retarget-document.js';
import { retargetFile } from '../../node/transform-file.js';
import { runTransformation, type TransformFlags } from '../io/transform.js';
import { chooseModels, MANY_HELP, type ManyFlags, manyOptions } from '../options/many-options.js';
import {
  commonOptions,
  configOptions,
  dataAccess,
  fixOptions,
  formOptions,
  moveOption,
  opsetOption,
  outputOptions,
  quietOption,
} from '../options/options.js';
import {
  describeDoubts,
  describeFixes,
  describeSkipped,
  type OtherChanges,
  sameBytes,
  within,
} from '../text/describe-swap.js';
import { notesWithFlags } from '../text/flags.js';
import { beQuiet } from '../text/say.js';
import { clean, integer } from '../text/text.js';

export function command(): Command {
  const retarget = new Command('retarget')
    .summary('rewrite the Mish of a model in another form')
    .description(
      'Rewrites every Mish of a model, whichever tool wrote it, in the form that suits a provider. The function stays the same; only --form makes an approximate form exact, or an exact form approximate. With --target, also rewrites HardSwish, LeakyRelu and Elu where the provider lacks them.',
    );
  opsetOption(fixOptions(formOptions(retarget))).addOption(
    new Option('--fix-relu', 'another name for --fix').implies({ fix: true }).hideHelp(),
  );
  moveOption(outputOptions(retarget, '<model>.<target>.onnx')).option(
    '--no-undo',
    'leave out the record from which `undo` restores the original',
  );
  manyOptions(quietOption(retarget));
  return commonOptions(configOptions(dataAccess(retarget)))
    .addHelpText(
      'after',
      `${MANY_HELP}

Examples:
  $ onnx-mish retarget yolov4.onnx --target webgl   WebGL has no Softplus and no Mish; the exp form runs
  $ onnx-mish retarget resnet.onnx --target webgl   a model without Mish: rewrites the nodes that WebGL computes wrong
  $ onnx-mish retarget model.onnx --form native
  $ onnx-mish retarget "zoo/**/*.mish.onnx" --target webgl --out-dir public/models`,
    )
    .action(run);
}

async function run(
  models: readonly string[],
  flags: RetargetOptions & TransformFlags & ManyFlags & { quiet?: boolean },
  command: Command,
): Promise<void> {
  if (flags.quiet) beQuiet();
  const chosen = chooseModels(models, flags, command);
  const tag = flags.target ?? flags.form;
  if (tag === undefined) {
    throw new OnnxMishError('bad-usage', 'retarget needs a form', {
      fix: 'Name a provider with --target, or a form with --form',
    });
  }
  if ('one' in chosen) {
    return runTransformation(chosen.one, flags, { file: retargetFile, document: retargetDocument, describe });
  }
  const { transformMany } = await import('../io/transform-many.js'); // loaded late: the table library is slow to load
  return transformMany(chosen.many, flags, {
    command: 'retarget',
    file: retargetFile,
    tag,
    done: 'retargeted',
    unchanged: ({ sites, others, fixes }) => sites.length + others.length + fixes.length === 0,
    nothing: 'with nothing to rewrite',
    head: ['Mish', 'as it was', 'skipped', 'form', 'bytes'],
    row: ({ sites, unchanged, skipped, form, bytesOut }) => [
      integer(sites.length),
      integer(unchanged),
      integer(skipped.length),
      form,
      integer(bytesOut),
    ],
  });
}

function describe(report: RetargetReport, changes: OtherChanges): string[] {
  const {
    form,
    sites,
    skipped,
    others,
    fixes,
    unchanged,
    approximate = 0,
    notes,
    bytesIn,
    bytesOut,
  } = report;
  const lines = [];
  const kinds = new Set(sites.map((site) => site.kind));
  if (approximate === 0 && sites.length > 0)
    lines.push(
      `  ${integer(sites.length)} Mish: from the ${[...kinds].join(' and ')} to the ${form} form${within(report.bound)}`,
    );
  if (approximate === 0 && unchanged > 0) lines.push(`  ${integer(unchanged)} in the ${form} form already`);
  if (approximate > 0)
    lines.push(
      `  ${integer(sites.length)} Mish rewritten, ${integer(unchanged)} as before; ${integer(approximate)} of them approximate`,
    );
  for (const kind of new Set(others.map((site) => site.kind))) {
    const count = others.filter((site) => site.kind === kind).length;
    lines.push(`  ${integer(count)} ${kind} in operators that the target has`);
  }
  lines.push(...describeFixes(fixes));
  if (sites.length + others.length + fixes.length + unchanged + skipped.length === 0) {
    lines.push(`  the model has no Mish${sameBytes(changes)}`);
  }
  lines.push(...describeDoubts(sites), ...describeSkipped(skipped));
  lines.push(`  ${integer(bytesIn)} → ${integer(bytesOut)} bytes`);
  return [...lines, ...notesWithFlags(notes, report.noteOptions).map((note) => `  note: ${clean(note)}`)];
}
