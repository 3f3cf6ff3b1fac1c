import { integer } from '../../base/plural.js';
import { retargetDocument } from '../../mish/retarget-document.js';
import { inWebglForms } from '../../mish/webgl-forms.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { scan } from '../../onnx/scan.js';
import { withTensorOutputs } from '../../onnx/tensor-outputs.js';
import { shortened } from '../known-bugs.js';
import type { Cure, Shapes, Unsupported } from '../provider.js';
import { WEB } from '../web-providers.js';
import { webglProblems } from './check.js';
import { webglSuspicions } from './known-bugs.js';
import { withShapes } from './shapes.js';

/** Model that WebGL can run. */
export interface WebglModel {
  readonly model: Uint8Array;
  /** Form to which the model's exact Mish was rewritten; undefined if not rewritten. */
  readonly retargeted: string | undefined;
  readonly notes: readonly string[];
  /** Places where a known bug of WebGL gives wrong outputs without an error. */
  readonly suspicions: readonly string[];
}

/**
 * Copies a model in memory so that WebGL can run the copy. Mish is rewritten in WebGL's operators, and the dimensions of
 * inputs and outputs become numbers.
 */
export async function prepareForWebgl(whole: OnnxDocument, shapes: Shapes | undefined): Promise<WebglModel> {
  const { document, notes } = await tensorsOnly(whole);
  const { document: runnable, retargeted, note } = await inWebglForms(document);
  return {
    model: await withShapes(runnable, shapes ?? { inputs: {}, outputs: {} }).bytes(),
    retargeted,
    notes: [WEB.webgl.notice, ...notes, ...(note === undefined ? [] : [note])],
    suspicions: shortened(webglSuspicions(runnable)),
  };
}

/** Rewrites a model for WebGL, as `retarget` does; undefined if only the form of Mish changes. */
export async function cureForWebgl(document: OnnxDocument): Promise<Cure | undefined> {
  const { output, report } = await retargetDocument(document, { target: 'webgl', undo: false });
  if (report.fixes.length === 0) return undefined;
  return {
    model: output,
    name: 'writing it for WebGL',
    option: { retarget: { target: 'webgl' } },
  };
}

/** Lists the reasons why WebGL cannot run a model, after its Mish is rewritten in WebGL's operators. */
export async function checkForWebgl(whole: OnnxDocument): Promise<Unsupported | undefined> {
  const { document } = await tensorsOnly(whole);
  // External data moves into the copy that is run.
  const { document: runnable } = await inWebglForms(document);
  const problems = webglProblems(runnable).filter(({ kind }) => kind !== 'external-data');
  if (problems.length === 0) return undefined;
  const reasons = [...new Set(problems.map(({ message }) => message))];
  const more = reasons.length > 3 ? `; and ${integer(reasons.length - 3)} more` : '';
  return {
    reason: `${reasons.slice(0, 3).join('; ')}${more}`,
    fix: 'Run it on wasm or webgpu',
    nodes: problems.map(({ node, op, opset, message }) =>
      node === null ? message : `${op} (opset ${opset}) ‘${node}’: ${message}`,
    ),
  };
}

/** Replaces outputs that are not tensors by the tensors that they contain; returns the same document if all are tensors. */
async function tensorsOnly(document: OnnxDocument): Promise<{ document: OnnxDocument; notes: string[] }> {
  const changed = withTensorOutputs(document);
  if (changed === undefined) return { document, notes: [] };
  return { document: await scan(await changed.model.bytes()), notes: changed.notes };
}
