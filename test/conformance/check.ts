import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnx } from '../../proto/onnx.js';
import { OnnxMishError } from '../../src/base/error.js';
import { FORMS, type FormName } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { mish } from '../../src/mish/reference.js';
import type { SwapReport } from '../../src/mish/results.js';
import { swap } from '../../src/mish/swap.js';
import { swapFile } from '../../src/node/transform-file.js';
import { type OnnxDocument, opsetOf } from '../../src/onnx/document.js';
import { scan } from '../../src/onnx/scan.js';
import { splice } from '../../src/onnx/splice.js';
import { withoutDigest } from '../support/record.js';
import { type Feed, OPTIMISERS, run } from '../support/run.js';
import { type Case, exampleFor, noise } from './cases.js';
import type { Answer, Python } from './python.js';
import { type IndependentReader, summaryBy, summaryOf } from './summary.js';

/** The forms that compute Mish itself. */
export const EXACT_FORMS = (Object.keys(FORMS) as FormName[]).filter(
  (form) => FORMS[form].bound === undefined,
);

export const CHECKS = [
  'scan',
  'byte-identical splice',
  ...EXACT_FORMS.map((form) => `swap, ${form} form` as const),
  'undo',
  'ONNX Runtime against the reference',
  'onnx.reference agrees',
  'onnx.checker',
  'read by others',
] as const;
export type Check = (typeof CHECKS)[number] | `swap, ${FormName} form`;

/** What came of one check of one model. */
export interface Result {
  readonly model: string;
  readonly check: Check;
  readonly outcome: 'passed' | 'skipped' | 'failed';
  /** Why, where it did not pass. */
  readonly why?: string;
}

/** A swapped file, for who wants to make it again. */
export interface Swapped {
  readonly path: string;
  readonly form: FormName;
  readonly sha256: string;
  /** That of the bytes without the digest, which a swap of a Blob does not compute. */
  readonly undigested: string;
}

export interface Tools {
  /** A folder for what is written. */
  readonly folder: string;
  readonly readers: readonly IndependentReader[];
  /** Python, or why it is not used. */
  readonly python: Python | string;
}

/** The largest difference that is rounding, relative to the larger of 1 and the value, by element type. */
const TOLERANCE: Readonly<Record<string, number>> = { f16: 4e-3, f32: 3e-6, f64: 1e-14 };
/** The same for whole graphs, whose runtimes add up in different orders. */
const LOOSE = 1e-4;

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** All checks of one model. Never throws: what goes wrong is a result that says so. */
export async function checkModel(
  one: Case,
  tools: Tools,
): Promise<{ results: Result[]; swapped: Swapped[] }> {
  const results: Result[] = [];
  const swapped: Swapped[] = [];
  const note = (check: Check, outcome: Result['outcome'], why?: string) =>
    void results.push({ model: one.name, check, outcome, ...(why === undefined ? {} : { why }) });
  /** Runs a check that returns why it is skipped, if it is, and throws where it fails. */
  const attempt = async (check: Check, work: () => Promise<string | undefined>) => {
    try {
      const why = await work();
      note(check, why === undefined ? 'passed' : 'skipped', why);
    } catch (error) {
      note(check, 'failed', String((error as Error).message).split('\n')[0]);
    }
  };

  const source = Uint8Array.from(readFileSync(one.path));
  let document: OnnxDocument | undefined;
  await attempt('scan', async () => {
    document = await scan(source);
    return undefined;
  });
  if (document === undefined) return { results, swapped };
  const scanned: OnnxDocument = document;
  await attempt('byte-identical splice', async () => {
    same(await splice(scanned.source, []).bytes(), source, 'the splice');
    same(await splice((await scan(new Blob([source]))).source, []).bytes(), source, 'the splice of a Blob');
    return undefined;
  });

  let isSwapped = false;
  // Asked once for all forms.
  let untouched: Promise<Answer> | undefined;
  let reference: Promise<Answer> | undefined;
  let objection: Promise<Answer> | undefined;
  for (const form of EXACT_FORMS) {
    const check = `swap, ${form} form` as const;
    const path = join(tools.folder, `${form}.onnx`);
    let report: SwapReport | undefined;
    await attempt(check, async () => {
      try {
        ({ report } = await swapFile(one.path, { form, output: path, force: true }));
      } catch (error) {
        if (error instanceof OnnxMishError && error.code === 'unsupported-form')
          return `the form needs opset ${FORMS[form].opset}`;
        throw error;
      }
      const written = Uint8Array.from(readFileSync(path));
      // Of a Blob no weights are read, so the record has no digest of them.
      const fromBlob = await (await swap(new Blob([source]), { form })).output.bytes();
      const rest = report.sites.length > 0 ? withoutDigest : (bytes: Uint8Array) => bytes;
      same(rest(fromBlob), rest(written), 'the swap of a Blob');
      if (report.sites.length > 0) return undefined;
      same(written, source, 'a swap of nothing');
      const reasons = [...new Set(report.skipped.map(({ reason }) => reason))].join(', ');
      return reasons === '' ? 'no activation in it' : `activations that stay: ${reasons}`;
    });
    if (report === undefined || report.sites.length === 0) continue;
    isSwapped = true;
    const { sites, skipped } = report;
    const written = Uint8Array.from(readFileSync(path));
    const undigested = sha256(withoutDigest(written));
    swapped.push({ path: one.path, form, sha256: sha256(written), undigested });
    await attempt('undo', async () => {
      same(await (await undo(written)).bytes(), source, 'what undo gives');
      return undefined;
    });
    await checkOutputs(scanned, path, sites.length, skipped.length);
    await attempt('onnx.checker', () => askChecker(path));
    await attempt('read by others', () => readByOthers(path, written));
  }
  if (!isSwapped) {
    const path = one.path;
    await attempt('read by others', () => readByOthers(path, source));
  }
  return { results, swapped };

  async function checkOutputs(
    original: OnnxDocument,
    path: string,
    sites: number,
    kept: number,
  ): Promise<void> {
    const { graph } = original;
    const feeds = feedsFor(original, one.path);
    if (typeof feeds === 'string') {
      note('ONNX Runtime against the reference', 'skipped', feeds);
      return;
    }
    let outputs: Record<string, number[]>[] = [];
    let bare: Record<string, number[]> = {};
    const runnable = opsetOf(graph) < 7 ? raised(path) : path;
    const isSingle = graph.nodes.length === 1 && sites === 1;
    const first = Object.values(feeds)[0];
    await attempt('ONNX Runtime against the reference', async () => {
      const ran = await originalOutputs(one.path, feeds);
      if (typeof ran === 'string') return `ONNX Runtime does not run the original: ${ran}`;
      bare = ran;
      outputs = await Promise.all(OPTIMISERS.map((optimiser) => run(runnable, feeds, optimiser)));
      const expected = exampleFor(one.path)?.outputs ?? [];
      for (const [place, { name }] of graph.outputs.entries()) {
        // The package's own outputs show that feeds and names are the right ones.
        const known = expected[place];
        if (known !== undefined) close(bare[name], known.data, 1e-3, `output ${name} of the original`);
        if (!isSingle || first === undefined) continue;
        const exact = first.data.map((x) => mish(x));
        const tolerance = TOLERANCE[first.type] ?? LOOSE;
        for (const after of outputs) close(after[name], exact, tolerance, `output ${name}`);
      }
      return isSingle ? undefined : 'it has more than one node, which is for onnx.reference';
    });
    await attempt('onnx.reference agrees', async () => {
      if (typeof tools.python === 'string') return tools.python;
      if (kept > 0) return 'some activations stay, and the reference would change them';
      if (outputs.length === 0) return 'ONNX Runtime gave nothing to compare';
      const question = { path: one.path, feeds };
      untouched ??= tools.python.ask({ kind: 'original', ...question });
      reference ??= tools.python.ask({ kind: 'reference', ...question });
      // It is no reference for what it computes otherwise before anything is swapped.
      const before = (await untouched).value as Record<string, number[]> | undefined;
      for (const [name, values] of Object.entries(before ?? {}))
        if (!isClose(bare[name], values)) return 'it disagrees with ONNX Runtime on the original already';
      const { value, error } = await reference;
      if (error !== undefined) return `onnx.reference cannot: ${error.slice(0, 80)}`;
      for (const [name, exact] of Object.entries(value as Record<string, number[]>)) {
        for (const after of outputs)
          close(after[name], exact, Math.max(LOOSE, TOLERANCE[first?.type ?? ''] ?? 0), `output ${name}`);
      }
      return undefined;
    });
  }

  async function askChecker(path: string): Promise<string | undefined> {
    if (typeof tools.python === 'string') return tools.python;
    objection ??= tools.python.ask({ kind: 'checker', path: one.path });
    const before = await objection;
    if (before.error !== undefined) return before.error;
    if (before.value !== '') return `it refuses the original: ${String(before.value).slice(0, 80)}`;
    const after = await tools.python.ask({ kind: 'checker', path });
    if (after.value !== '') throw new Error(`the checker refuses the output: ${after.value ?? after.error}`);
    return undefined;
  }

  async function readByOthers(path: string, bytes: Uint8Array): Promise<string | undefined> {
    const ours = summaryOf(await scan(bytes));
    const theirs: [string, string][] = tools.readers.map((reader) => [reader.name, summaryBy(reader, bytes)]);
    if (typeof tools.python !== 'string') {
      const { value, error } = await tools.python.ask({ kind: 'summary', path });
      if (error !== undefined) throw new Error(`Python's onnx: ${error}`);
      theirs.push(['Python’s onnx', String(value)]);
    }
    const [[first, all] = ['', '']] = theirs;
    for (const [reader, summary] of theirs)
      if (summary !== all) throw new Error(`${reader} and ${first} ${difference(summary, all)}`);
    if (!agrees(JSON.parse(ours), JSON.parse(all)))
      throw new Error(`the scanner and ${first} ${difference(ours, all)}`);
    return undefined;
  }
}

/** What to feed a model, by name, or why nothing can be. */
function feedsFor({ graph }: OnnxDocument, path: string): Record<string, Feed> | string {
  const example = exampleFor(path);
  const feeds: Record<string, Feed> = {};
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  for (const [place, { name, elemType, dims }] of inputs.entries()) {
    const feed = example === undefined ? noise(elemType, dims) : example.inputs[place];
    if (feed === undefined) return 'its inputs are of types that are not made up here';
    feeds[name] = feed;
  }
  return feeds;
}

async function originalOutputs(
  path: string,
  feeds: Readonly<Record<string, Feed>>,
): Promise<Record<string, number[]> | string> {
  try {
    return await run(path, feeds);
  } catch (error) {
    return (
      String((error as Error).message)
        .split('\n')[0]
        ?.slice(0, 80) ?? ''
    );
  }
}

/**
 * The same model at opset 7. ONNX Runtime has no Mul, Add or Div before it. What such models hold means the
 * same at 6 and 7, but that the attribute `broadcast` is then neither needed nor known.
 */
function raised(path: string): Uint8Array {
  const message = onnx.ModelProto.decode(readFileSync(path));
  message.opsetImport = [{ domain: '', version: 7 }];
  for (const node of message.graph?.node ?? []) {
    const at = (node.attribute ?? []).findIndex(({ name }) => name === 'broadcast');
    if (at >= 0) node.attribute?.splice(at, 1);
  }
  return Uint8Array.from(onnx.ModelProto.encode(message).finish());
}

function same(bytes: Uint8Array, wanted: Uint8Array, what: string): void {
  if (Buffer.compare(bytes, wanted) !== 0) throw new Error(`${what} has other bytes`);
}

function close(
  got: readonly number[] | undefined,
  exact: readonly number[],
  tolerance: number,
  what: string,
): void {
  if (got?.length !== exact.length)
    throw new Error(`${what} has ${got?.length} elements, not ${exact.length}`);
  exact.forEach((want, at) => {
    const value = got[at] ?? Number.NaN;
    const error = Math.abs(value - want) / Math.max(1, Math.abs(want));
    // Written so that NaN fails, unless it is what is wanted.
    if (!(error <= tolerance) && !Object.is(value, want))
      throw new Error(`${what}, element ${at}: ${value} for ${want}`);
  });
}

function isClose(got: readonly number[] | undefined, wanted: readonly number[]): boolean {
  try {
    close(got, wanted, LOOSE, '');
    return true;
  } catch {
    return false;
  }
}

function difference(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return `differ: …${a.slice(Math.max(0, at - 30), at + 30)}… and …${b.slice(Math.max(0, at - 30), at + 30)}…`;
}

/** What the scanner keeps of an attribute: no floats, no types, no long lists; and numbers are doubles. */
function agrees(ours: unknown, theirs: unknown): boolean {
  if (!Array.isArray(ours) || !Array.isArray(theirs))
    return ours === theirs || Number(ours) === Number(theirs) || (ours === '' && theirs === 'ai.onnx');
  const [name, type, value] = ours;
  if (typeof name === 'string' && typeof type === 'number' && ours.length === 3) {
    const isLeftOut = value === null || value === '' || (Array.isArray(value) && value.length === 0);
    if (isLeftOut) return name === theirs[0] && type === theirs[1];
  }
  return ours.length === theirs.length && ours.every((one, at) => agrees(one, theirs[at]));
}
