import { basename, dirname, join } from 'node:path';
import { OnnxMishError } from '../base/error.js';
import { type DataAccess, dataFiles, withDataFiles } from '../files/external-data.js';
import { isSameFile } from '../files/same-file.js';
import { checkedBy } from '../files/unchanged.js';
import { isDevice } from '../files/write-atomically.js';
import type { OnnxDocument } from '../onnx/document.js';
import { EXTERNAL_DATA, type ExternalDataChoice } from '../onnx/external-data-choices.js';
import { externalizeData } from '../onnx/externalize-data.js';
import { inlineData } from '../onnx/inline-data.js';
import { readOutsideNumbers } from '../onnx/outside-numbers.js';
import { scan } from '../onnx/scan.js';
import type { Spliced } from '../onnx/splice.js';
import { viewOf } from '../onnx/view.js';
import type { OpenData } from '../onnx/weights.js';

/** A model whose weights are where the choice wants them. */
export interface MovedModel {
  readonly document: OnnxDocument;
  /** Opens the files of external data, also the new file. */
  readonly openData: OpenData;
  /** New data file of the output. */
  readonly data?: { readonly location: string; readonly content: Spliced } | undefined;
  /** Whether the output refers to the input's data files. */
  readonly keepsFiles: boolean;
}

/**
 * Moves the weights of a model as chosen, and opens its data files while `use` runs. `check` tells whether the files changed
 * meanwhile. Throws `external-data` as `inlineData` does, also if the new file would replace a file that is read, and `bad-usage` for
 * a device without a folder.
 */
export function withMovedData<T>(
  input: string,
  document: OnnxDocument,
  choice: ExternalDataChoice,
  output: string,
  access: DataAccess,
  check: () => Promise<void>,
  use: (moved: MovedModel) => Promise<T>,
): Promise<T> {
  checkChoice(choice);
  return withDataFiles(
    input,
    document,
    async (openData) => {
      if (choice === 'keep') return use({ document, openData, keepsFiles: true });
      if (choice === 'inline') {
        const inside = await checkedBy(check, async () => scan(viewOf(await inlineData(document, openData))));
        return use({ document: inside, openData, keepsFiles: false });
      }
      const location = `${basename(output)}.data`;
      await checkDataFile(input, document, output, location, access);
      const { model, data } = await checkedBy(check, () => externalizeData(document, location, openData));
      const content = data && viewOf(data);
      const open: OpenData = async (name) =>
        content !== undefined && name === location ? content : openData(name);
      const outside = await checkedBy(check, async () => {
        const moved = await scan(viewOf(model));
        await readOutsideNumbers(moved, open);
        return moved;
      });
      const added = data && { location, content: data };
      return use({ document: outside, openData: open, data: added, keepsFiles: false });
    },
    access,
  );
}

function checkChoice(choice: string): void {
  if (EXTERNAL_DATA.some((one) => one === choice)) return;
  throw new OnnxMishError('bad-usage', `weights cannot be moved to '${choice}'`, {
    fix: `Choose from ${EXTERNAL_DATA.join(', ')}`,
    option: { externalData: null },
  });
}

async function checkDataFile(
  input: string,
  document: OnnxDocument,
  output: string,
  location: string,
  access: DataAccess,
): Promise<void> {
  if (await isDevice(output)) {
    throw new OnnxMishError('bad-usage', 'a device has no folder for a data file', {
      where: output,
      fix: 'Name a file as output',
      option: { output: null },
    });
  }
  const path = join(dirname(output), location);
  const read = [input, ...(await dataFiles(document, dirname(input), access)).map((file) => file.path)];
  for (const one of read) {
    if (!(await isSameFile(one, path))) continue;
    throw new OnnxMishError('external-data', 'the new data file would overwrite a file that is read', {
      where: path,
      fix: 'Choose another name for the model',
      option: { output: null },
    });
  }
}
