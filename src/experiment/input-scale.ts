// The range of the samples, for weights that are initialised anew.
import type { Advice } from '../base/option-hint.js';
import { firstPixels } from '../data/scale-doubt.js';
import { feedsOf } from '../finetune/feeds.js';
import type { LabelledPart } from '../finetune/split-data.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { LoadedModel } from '../providers/loaded-model.js';

/** Number of samples to look at. */
const MAX_SAMPLES = 64;

/** Operators that move or convert their first input's elements. */
const MOVES = [
  'Identity',
  'Cast',
  'Reshape',
  'Flatten',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Pad',
  'Resize',
];
/** Operators with which a model scales its input itself. */
const SCALES = [
  ...['Mul', 'Div', 'Sub', 'Add', 'BatchNormalization', 'InstanceNormalization', 'LayerNormalization'],
  ...['GroupNormalization', 'MeanVarianceNormalization', 'LpNormalization'],
];

/** Returns advice if the samples are bytes and the model does not scale its input: new weights expect values of about 1. */
export async function inputScaleDoubt(model: LoadedModel, part: LabelledPart): Promise<Advice | undefined> {
  const pixels = await firstPixels(feedsOf(part, model, MAX_SAMPLES));
  if (pixels?.range !== 'bytes' || scalesInput(model.document, pixels.name)) return undefined;
  return {
    text: 'the samples reach from 0 to 255, and new weights expect values of about 1, as the samples divided by 255 have. Divide them',
    option: { scale: '1/255' },
  };
}

/** Returns whether a node scales the input, or a copy of it. */
function scalesInput({ graph }: OnnxDocument, input: string): boolean {
  const copies = new Set([input]);
  for (const { opType, inputs, outputs } of graph.nodes) {
    const [first = '', second = ''] = inputs;
    if (SCALES.includes(opType) && (copies.has(first) || copies.has(second))) return true;
    if (MOVES.includes(opType) && copies.has(first)) for (const output of outputs) copies.add(output);
  }
  return false;
}
