import { readScalable, scaleWeight } from '../../mish/fold-plan.js';
import type { FoldedSite, KeptSite } from '../../mish/results.js';
import { type Site, siteLabel } from '../../mish/sites.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import { type Edit, splice } from '../../onnx/splice.js';
import { type OpenData, type Weight, weightEdit } from '../../onnx/weights.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { TensorNumber } from './pinned-sets.js';
import { findScaleClasses, type ScaleClasses } from './scale-classes.js';

/** A site with the sharpness that its inputs allow. */
export interface WantedSharpness {
  readonly site: Site;
  readonly beta: number;
}

/** A model that computes the same function with other inputs of its sites. */
export interface Rescaled {
  readonly model: EditableModel;
  /** Sites whose input is multiplied by their sharpness. */
  readonly folded: readonly FoldedSite[];
  /** Sites that keep their input, with the sharpness that their inputs would allow. */
  readonly kept: readonly KeptSite[];
  /** Number of changed weights. */
  readonly weights: number;
}

/**
 * Multiplies what goes into sites by their sharpness and divides what comes out, in the weights before and after, so that
 * a new activation f then computes what f(βx) / β computed before. Sites that share a scale get the smallest sharpness among them.
 * `homogeneous` are all activations of the main graph that preserve a scale. Reads the weights that change.
 */
export async function rescale(
  model: EditableModel,
  homogeneous: readonly Site[],
  wanted: readonly WantedSharpness[],
): Promise<Rescaled> {
  const { document, openData } = model;
  const { graph } = document;
  const inGraph = wanted.filter(({ site }) => site.scope === graph);
  const classes = findScaleClasses(document, indexGraphs(document), homogeneous);
  const scales = new Map<TensorNumber, number>();
  const pinned = new Map<TensorNumber, string>();
  for (const { site, beta } of inGraph) {
    const scaleClass = classes.classOf(outputOf(site));
    scales.set(scaleClass, Math.min(beta, scales.get(scaleClass) ?? beta));
    const why = classes.pinned(scaleClass);
    if (why !== undefined) pinned.set(scaleClass, why);
  }
  for (const scaleClass of pinned.keys()) scales.delete(scaleClass);
  const edits = await weightEdits(document, classes, { scales, pinned }, openData);
  const folded: FoldedSite[] = [];
  const kept: KeptSite[] = [];
  for (const { site, beta } of wanted) {
    const scaleClass = classes.classOf(outputOf(site));
    const scale = site.scope === graph ? (scales.get(scaleClass) ?? 1) : 1;
    const report = { scope: site.scope.path, label: siteLabel(site), output: outputOf(site) };
    if (scale > 1) folded.push({ ...report, beta: scale });
    else if (beta > 1) kept.push({ ...report, beta, why: reasonOf(site, scaleClass) });
  }
  const edited = edits.length === 0 ? model : await model.edited(splice(document.source, edits));
  return { model: edited, folded, kept, weights: edits.length };

  function reasonOf(site: Site, scaleClass: TensorNumber): string {
    if (site.scope !== graph) return 'it is not in the main graph';
    const why = pinned.get(scaleClass);
    return why === undefined
      ? 'it shares its scale with a site of wider inputs'
      : `its scale is fixed: ${why}`;
  }
}

function outputOf({ node }: Site): string {
  return node.outputs[0] ?? '';
}

interface Scales {
  readonly scales: Map<TensorNumber, number>;
  readonly pinned: Map<TensorNumber, string>;
}

/** Returns the edits of all weights. A class whose weights cannot take their factor is pinned, and all begins again. */
async function weightEdits(
  document: OnnxDocument,
  classes: ScaleClasses,
  { scales, pinned }: Scales,
  openData: OpenData | undefined,
): Promise<Edit[]> {
  const read = new Map<Weight['tensor'], Float64Array | string>();
  for (;;) {
    const edits: Edit[] = [];
    const failed = new Map<TensorNumber, string>();
    for (const { weight, up, down } of classes.weights) {
      const factor = (scales.get(up) ?? 1) / (scales.get(down) ?? 1);
      if (factor === 1) continue;
      const values = read.get(weight.tensor) ?? (await readScalable(document, weight, openData));
      read.set(weight.tensor, values);
      const scaled = typeof values === 'string' ? values : scaleWeight(values, factor, weight);
      if (typeof scaled !== 'string') edits.push(await weightEdit(document, weight, scaled));
      else for (const scaleClass of [up, down]) if (scales.has(scaleClass)) failed.set(scaleClass, scaled);
    }
    if (failed.size === 0) return edits;
    for (const [scaleClass, why] of failed) {
      scales.delete(scaleClass);
      pinned.set(scaleClass, why);
    }
  }
}
