import { OnnxMishError } from '../../base/error.js';
import { int8Obstacle } from '../../mish/int8-notes.js';
import type { SwapReport } from '../../mish/results.js';
import type { SwapOptions } from '../../mish/swap.js';
import type { Node, OnnxDocument } from '../../onnx/document.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import { inlineData } from '../../onnx/inline-data.js';
import { type LoadedModel, modelFromBytes } from '../../providers/loaded-model.js';

/** Operators of layers that read integers without DequantizeLinear. */
const ON_INTEGERS = /^(QLinear(Conv|MatMul)|QGemm|(Conv|MatMul)Integer(ToFloat)?|DynamicQuantizeMatMul)$/;

/** Advice for a model whose layers compute on integers. */
export const QUANTISE_LATER = 'calibrate the float model, and quantise the result in the softplus form';

/** Returns the first layer that computes on integers; undefined without one. */
export const layerOnIntegers = ({ graph }: OnnxDocument): Node | undefined =>
  graph.nodes.find(({ opType }) => ON_INTEGERS.test(opType));

/** Throws `bad-usage` for options that int8 does not go with. */
export function refuseFold({ fold }: Pick<SwapOptions, 'fold'>): void {
  if (!fold) return;
  throw new OnnxMishError('bad-usage', 'int8 cannot be combined with fold', {
    fix: 'Leave fold out: without beta, β is in the weights anyway',
  });
}

/** Throws `bad-usage` for a model without quantised sites. */
export function refuseWithoutSites(document: OnnxDocument, { int8 }: SwapReport): void {
  if ((int8?.sites ?? 0) > 0) return;
  const { source } = document;
  const onIntegers = layerOnIntegers(document);
  if (onIntegers !== undefined) {
    throw new OnnxMishError(
      'bad-usage',
      `the model has layers on integers (${onIntegers.opType}), which int8 does not read`,
      {
        where: source.name,
        fix: `Quantise the float model with QuantizeLinear and DequantizeLinear (QuantFormat.QDQ of onnxruntime.quantization); or ${QUANTISE_LATER}`,
      },
    );
  }
  const obstacle = int8Obstacle(document, indexGraphs(document));
  const why = obstacle === undefined ? '' : ` that int8 reads: ${obstacle}`;
  throw new OnnxMishError('bad-usage', `the model has no site between quantised tensors${why}`, {
    where: source.name,
    fix: 'Leave int8 out',
    option: { int8: null },
  });
}

/** Returns a model whose external data is inside. Throws `external-data`, also for a model in memory whose data is in other files. */
export async function wholeModel(model: LoadedModel): Promise<LoadedModel> {
  const { document, openData, name } = model;
  const [first] = document.external;
  if (first === undefined) return model;
  if (openData === undefined) {
    throw new OnnxMishError('external-data', `the data of tensor '${first.tensor.name}' is in another file`, {
      where: name,
      fix: 'Give the model by its path',
    });
  }
  const inside = await inlineData(document, openData);
  return modelFromBytes(await inside.bytes(), name);
}
