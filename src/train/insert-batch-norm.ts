// Puts batch normalisation back behind the convolutions of a model whose exporter folded it into the weights.
import { biasEdit } from '../onnx/add-bias.js';
import { composedField, initializerFields } from '../onnx/compose.js';
import { concat } from '../onnx/encode.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { namer } from '../onnx/names.js';
import { renamedOutput } from '../onnx/rename-output.js';
import { type Edit, replacing, splice } from '../onnx/splice.js';
import { readWeight, weightOf } from '../onnx/weights.js';
import type { Tensors } from '../providers/tensor.js';
import { DEFAULT_EPSILON } from './autodiff/rule.js';
import type { RunOptions } from './batch-of-copy.js';
import { channelMoments } from './channel-moments.js';
import { type NormedConv, normedConvs } from './normed-convs.js';
import { NO_CONVOLUTION, type TrainableModel } from './prepare-training.js';

/** The epsilon as it is stored, in float32. */
const EPSILON = Math.fround(DEFAULT_EPSILON);

/** Remark on a model whose convolutions without batch normalisation have a single place, as those of squeeze-and-excitation. */
const SINGLE_PLACES = {
  code: 'single-places',
  text: 'The convolutions that lack a batch normalisation give one value per channel and sample, so that none was put behind any',
} as const;

/**
 * Inserts a batch normalisation behind each convolution with its own weights and several places, with the statistics of `batches`
 * and a scale and shift that undo it: the function stays the same. The result's `edits` fold the trained normalisations exactly into the
 * original's weights. The original's nodes stay; a convolution without a bias gets one. Throws `run-failed`.
 */
export async function withBatchNorm(
  prepared: TrainableModel,
  batches: () => AsyncIterable<Tensors>,
  options: RunOptions,
): Promise<TrainableModel> {
  const convs = normedConvs(prepared);
  if (convs.length === 0) return { ...prepared, remarks: [...prepared.remarks, NO_CONVOLUTION] };
  const names = convs.map(({ y }) => y);
  const moments = await channelMoments(prepared.model, names, batches, options);
  const inserted = convs.filter(({ y }) => moments.has(y));
  if (inserted.length === 0) return { ...prepared, remarks: [...prepared.remarks, SINGLE_PLACES] };
  const { document } = prepared.model;
  const edits: Edit[] = [];
  const frame = document.graph.nodes[0]?.frame;
  for (const { node, raw, y, names } of inserted) {
    const { mean, variance } = moments.get(y) ?? { mean: new Float64Array(0), variance: new Float64Array(0) };
    const parameters = [names.scale, names.shift, names.mean, names.variance];
    const epsilon = { f: DEFAULT_EPSILON };
    const norm = composedField(['BatchNormalization', [raw, ...parameters], [y], { epsilon }]);
    edits.push(replacing(node, concat([await renamedOutput(document, node, raw), norm])));
    const values = {
      scale: variance.map((one) => Math.sqrt(one + EPSILON)),
      shift: mean,
      mean,
      variance,
    };
    for (const key of ['scale', 'shift', 'mean', 'variance'] as const) {
      const bytes = initializerFields(names[key], [mean.length], values[key], document.irVersion);
      edits.push({ start: frame?.end ?? 0, end: frame?.end ?? 0, bytes, frame });
    }
  }
  const model = await prepared.model.edited(splice(document.source, edits));
  const index = indexGraphs(model.document);
  const trained = [
    ...prepared.weights.map(({ name }) => name),
    ...inserted.flatMap((conv) => [conv.names.scale, conv.names.shift]),
  ];
  return {
    ...prepared,
    model,
    index,
    weights: trained.flatMap((name) => weightOf(index, model.document.graph, name) ?? []),
    remarks: [
      ...prepared.remarks.filter(({ code }) => code !== 'no-batch-norm'),
      {
        code: 'batch-norm-inserted',
        text: `Batch normalisation was put back behind ${inserted.length === 1 ? 'a convolution' : `${inserted.length} convolutions`} for training, and is folded again at the end`,
      },
    ],
    edits: (values) => foldedEdits(prepared, model, inserted, values),
  };
}

/** Returns the original's edits, with the batch normalisations folded into the convolutions' weights and biases. */
async function foldedEdits(
  prepared: TrainableModel,
  model: TrainableModel['model'],
  convs: readonly NormedConv[],
  values: ReadonlyMap<string, ArrayLike<number>>,
): Promise<Edit[]> {
  const { document, openData } = model;
  const index = indexGraphs(document);
  const { original } = prepared;
  const originals = indexGraphs(original.document);
  const fresh = namer(original.document);
  const valuesOf = async (name: string): Promise<ArrayLike<number>> => {
    const weight = weightOf(index, document.graph, name);
    return values.get(name) ?? (weight === undefined ? [] : readWeight(document, weight, openData));
  };
  const result = new Map(values);
  const edits: Edit[] = [];
  for (const { weight, bias, y, names } of convs) {
    const [scale, shift, mean, variance] = [
      await valuesOf(names.scale),
      await valuesOf(names.shift),
      await valuesOf(names.mean),
      await valuesOf(names.variance),
    ];
    for (const name of Object.values(names)) result.delete(name);
    const channels = weight.tensor.dims[0] ?? 1;
    const factor = (channel: number) => (scale[channel] ?? 1) / Math.sqrt((variance[channel] ?? 0) + EPSILON);
    const old = await valuesOf(weight.name);
    const perChannel = old.length / Math.max(1, channels);
    const folded = Float64Array.from(old, (value, at) => value * factor(Math.floor(at / perChannel)));
    const oldBias = bias === undefined ? [] : await valuesOf(bias.name);
    const foldedBias = Float64Array.from(
      { length: channels },
      (_, channel) =>
        ((oldBias[channel] ?? 0) - (mean[channel] ?? 0)) * factor(channel) + (shift[channel] ?? 0),
    );
    result.set(weight.name, folded);
    if (bias !== undefined) {
      result.set(bias.name, foldedBias);
      continue;
    }
    const { graph } = original.document;
    const node = originals.producer(graph, y);
    const type = weightOf(originals, graph, node?.inputs[1] ?? '')?.type ?? 'f32';
    if (node !== undefined)
      edits.push(await biasEdit(original.document, graph, node, foldedBias, type, fresh));
  }
  return [...edits, ...(await prepared.edits(result))];
}
