import { openModel } from '../../files/model-file.js';
import { scanFile } from '../../files/scan-file.js';
import { checkedBy } from '../../files/unchanged.js';
import type { Inspection } from '../../mish/inspect.js';
import { inspectDocument } from '../../mish/inspect-document.js';
import { expandInputs } from '../io/inputs.js';
import { runMany } from '../io/many.js';
import type { Patterns } from '../options/patterns.js';
import { integer } from '../text/text.js';
import type { Flags } from './inspect-flags.js';

/** Inspects all models that paths and globs name. Throws `bad-usage`. */
export async function inspectMany(many: Patterns, flags: Flags): Promise<void> {
  const { inputs } = await expandInputs(many);
  const jobs = inputs.map(({ path }) => ({ input: path }));
  await runMany<{ input: string }, Inspection>(
    jobs,
    {
      async run({ input }) {
        const file = await openModel(input);
        const work = async () => inspectDocument(await scanFile(input, file, flags), flags);
        return checkedBy(file.checkUnchanged, work).finally(() => file.close());
      },
      document: (inspection) => inspection,
      head: ['opset', 'bytes', 'nodes', 'sites', 'skipped', 'Mish'],
      rows: ({ opset, bytes, nodes, sites, skipped, mish }) => [
        [opset, bytes, nodes, sites.length, skipped.length, mish.length].map(integer),
      ],
      textColumns: 1,
      done: 'inspected',
    },
    { ...flags, command: 'inspect' },
  );
}
