import { OnnxMishError } from '../../base/error.js';
import type { SwapReport } from '../../mish/results.js';
import type { SwapOptions } from '../../mish/swap.js';
import type { OnnxDocument } from '../../onnx/document.js';

/** Operators of models that a quantiser wrote without QuantizeLinear and DequantizeLinear around layers. */
const ON_INTEGERS: ReadonlySet<string> = new Set([
  'QLinearConv',
  'QLinearMatMul',
  'ConvInteger',
  'MatMulInteger',
  'QGemm',
]);

const WHOLE = 'onnx.save(onnx.load("model.onnx"), "whole.onnx")';

/** Throws `bad-usage` for options that int8 does not go with, `external-data` for a model with data in other files. */
export function refuseInt8({ external, source }: OnnxDocument, { fold }: Pick<SwapOptions, 'fold'>): void {
  if (fold) {
    throw new OnnxMishError('bad-usage', 'int8 cannot be combined with fold', {
      fix: 'Leave fold out: without beta, β is in the weights anyway',
    });
  }
  const [first] = external;
  if (first === undefined) return;
  throw new OnnxMishError(
    'external-data',
    `int8 does not read other files, and '${first.tensor.name}' is in one`,
    {
      where: source.name,
      fix: `Write the model into one file, in Python: ${WHOLE}`,
    },
  );
}

/** Throws `bad-usage` for a model without quantised sites. */
export function refuseWithoutSites({ graph, source }: OnnxDocument, { int8 }: SwapReport): void {
  if ((int8?.sites ?? 0) > 0) return;
  const onIntegers = graph.nodes.find(({ opType }) => ON_INTEGERS.has(opType));
  if (onIntegers !== undefined) {
    throw new OnnxMishError(
      'bad-usage',
      `the model has layers on integers (${onIntegers.opType}), which int8 does not read`,
      {
        where: source.name,
        fix: 'Quantise the float model with QuantizeLinear and DequantizeLinear (QDQ); or calibrate the float model, and quantise the result',
      },
    );
  }
  throw new OnnxMishError('bad-usage', 'the model has no site between quantised tensors', {
    where: source.name,
    fix: 'Leave int8 out',
    option: { int8: null },
  });
}
