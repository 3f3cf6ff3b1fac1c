// What has to be true of any input: a valid result, or one OnnxMishError.

import { OnnxMishError } from '../../src/base/error.js';
import { parseNpy } from '../../src/data/npy.js';
import { unzip } from '../../src/data/npz.js';
import { KINDS } from '../../src/mish/activation-kinds.js';
import { foldDocument } from '../../src/mish/fold-document.js';
import { FORMS, type FormName, TARGETS } from '../../src/mish/forms.js';
import { undoDocument } from '../../src/mish/history.js';
import { inspectDocument } from '../../src/mish/inspect-document.js';
import { parsePlan, planOf } from '../../src/mish/plan.js';
import type { RetargetOptions } from '../../src/mish/retarget.js';
import { retargetDocument } from '../../src/mish/retarget-document.js';
import { type SwapOptions, swapDocument } from '../../src/mish/swap.js';
import type { OnnxDocument } from '../../src/onnx/document.js';
import { scan } from '../../src/onnx/scan.js';
import type { ByteSource } from '../../src/onnx/source.js';
import { type Spliced, splice } from '../../src/onnx/splice.js';
import { decodeTensor } from '../../src/onnx/tensor-data.js';
import { compareReports } from '../../src/render/compare.js';
import { renderJunit } from '../../src/render/junit.js';
import { renderComparison, renderTerminal } from '../../src/render/terminal.js';
import { parseReport } from '../../src/validate/report-schema.js';

/** What is done with a model. */
export type Operation =
  | { readonly do: 'swap'; readonly options: SwapOptions }
  | { readonly do: 'retarget'; readonly options: RetargetOptions }
  | { readonly do: 'fold' | 'undo' | 'inspect' };

/** One input and what reads it. */
export type Case =
  | {
      readonly target: 'model';
      readonly bytes: Uint8Array;
      readonly operation: Operation;
      readonly source?: 'file';
    }
  | { readonly target: 'npy' | 'npz' | 'tensor' | 'plan' | 'report'; readonly bytes: Uint8Array };

/** Something that no input may bring about. */
export class Broken extends Error {}

function claim(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}

const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && Buffer.compare(a, b) === 0;

/**
 * Runs a case. Gives what came of it, `ok` or the code of the one error; throws whatever else was thrown, and `Broken`
 * for a result that is none.
 */
export async function runCase(test: Case): Promise<string> {
  try {
    await (test.target === 'model' ? checkModel(test) : checkData(test));
    return 'ok';
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    claim(!/^edits overlap/.test(error.what), `edits of our own: ${error.message}`);
    claim(
      error.what !== '' && error.message.length < 5_000,
      `a message of ${error.message.length} characters`,
    );
    return error.code;
  }
}

async function checkModel({
  bytes,
  operation,
  source,
}: Extract<Case, { target: 'model' }>): Promise<unknown> {
  const document = await scan(source === 'file' ? behind(bytes) : bytes);
  claim(same(await splice(document.source, []).bytes(), bytes), 'a splice without edits is not the source');
  switch (operation.do) {
    case 'inspect':
      return claim(JSON.stringify(await inspectDocument(document)).length > 0, 'no inspection');
    case 'undo':
      return checkWhole(await undoDocument(document));
    case 'fold': {
      const { output } = await foldDocument(document);
      return checkChange(document, output, bytes, true);
    }
    case 'swap': {
      const { options } = operation;
      const { output, report } = await swapDocument(document, options);
      claim(
        report.bytesIn === bytes.length && report.bytesOut === output.size,
        'sizes in the report are wrong',
      );
      const plan = parsePlan(JSON.parse(JSON.stringify(planOf(report))));
      claim(plan.sites.length === report.sites.length, 'a plan of other sites');
      const again = await checkChange(document, output, bytes, options.undo ?? true);
      if (options.strict || again === undefined) return;
      const twice = await swapDocument(again, { ...options, fold: false });
      claim(twice.report.sites.length === 0, `${twice.report.sites.length} sites are left after a swap`);
      return;
    }
    case 'retarget': {
      const { output, report } = await retargetDocument(document, operation.options);
      claim(
        report.bytesIn === bytes.length && report.bytesOut === output.size,
        'sizes in the report are wrong',
      );
      JSON.stringify(report);
      await checkChange(document, output, bytes, operation.options.undo ?? true);
    }
  }
}

/** The result can be read, and undone where that was kept; gives its document if it is another than the source. */
async function checkChange(
  document: OnnxDocument,
  output: Spliced,
  bytes: Uint8Array,
  undoable: boolean,
): Promise<OnnxDocument | undefined> {
  const written = await checkWhole(output);
  if (output.replacements.length === 0)
    return void claim(same(written, bytes), 'nothing done, and other bytes');
  const again = await scan(written).catch((cause: unknown) => {
    throw new Broken(`the result cannot be read: ${cause}`, { cause });
  });
  claim(again.scopes.length === document.scopes.length, 'the result has other graphs');
  if (!undoable) return again;
  const before = await undoDocument(again).catch((cause: unknown) => {
    throw new Broken(`it cannot be undone: ${cause}`, { cause });
  });
  claim(same(await before.bytes(), bytes), 'undo does not give the source back');
  return again;
}

async function checkWhole(output: Spliced): Promise<Uint8Array> {
  const bytes = await output.bytes();
  claim(bytes.length === output.size, `${output.size} bytes promised, ${bytes.length} given`);
  return bytes;
}

/** As a file is read that is not in memory: in parts. */
function behind(bytes: Uint8Array): ByteSource {
  return {
    ...{ name: 'model', size: bytes.length },
    read: async (offset, length) => {
      claim(
        offset >= 0 && length >= 0 && offset + length <= bytes.length,
        `a read of ${length} bytes at ${offset}`,
      );
      return bytes.slice(offset, offset + length);
    },
  };
}

async function checkData({ target, bytes }: Exclude<Case, { target: 'model' }>): Promise<void> {
  if (target === 'npy') checkArray(bytes);
  else if (target === 'tensor') decodeTensor(bytes, 'tensor');
  else if (target === 'npz')
    for (const array of (await unzip(bytes, 'samples.npz')).values()) checkArray(array);
  else {
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (target === 'plan') parsePlan(json);
    else checkReport(json);
  }
}

function checkArray(bytes: Uint8Array): void {
  const { dims, data } = parseNpy(bytes, 'array');
  claim(
    dims.reduce((product, dim) => product * dim, 1) === data.length,
    'an array of another length than its shape',
  );
}

function checkReport(json: unknown): void {
  const report = parseReport(json);
  const options = { colour: false, clean: (text: string) => text };
  const texts = [
    renderTerminal(report, options),
    renderJunit(report),
    renderComparison(compareReports(report, report), options),
  ];
  for (const text of texts) claim(text.length > 0, 'an empty view');
}

const GLOBS = [undefined, ['*'], ['?*'], ['act'], ['*a*b*'], ['(a+)+$', '[']];
const BETAS = [undefined, 1, 2, 0.5, 1e-3, 1e4];
const FORM_NAMES = Object.keys(FORMS) as FormName[];

/** What a number stands for among the things that can be done, each option drawn from a few digits of it. */
export function operationOf(choice: number): Operation {
  let rest = choice;
  const draw = <T>(list: readonly T[]): T | undefined => {
    const drawn = list[rest % list.length];
    rest = Math.floor(rest / list.length);
    return drawn;
  };
  const what = draw([
    'swap',
    'swap',
    'swap',
    'swap',
    'retarget',
    'retarget',
    'fold',
    'undo',
    'inspect',
  ] as const);
  const undo = draw([true, true, true, false]);
  if (what === 'retarget') {
    const fixRelu = draw([false, true]);
    const isForm = draw([false, true]);
    return {
      do: what,
      options: isForm ? { form: draw(FORM_NAMES), undo, fixRelu } : { target: draw(TARGETS), undo, fixRelu },
    };
  }
  if (what !== 'swap') return { do: what ?? 'inspect' };
  const options: SwapOptions = {
    ...{ form: draw(FORM_NAMES), undo, beta: draw(BETAS), leaky: draw(['mish', 'mixture'] as const) },
    only: draw([undefined, undefined, KINDS.map(({ name }) => name), ['prelu']]),
    ...{ fold: draw([false, true]), strict: draw([false, false, false, true]) },
    ...{ include: draw(GLOBS), exclude: draw([undefined, undefined, undefined, ...GLOBS]) },
  };
  return { do: 'swap', options };
}
