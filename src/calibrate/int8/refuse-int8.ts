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

/** Throws `bad-usage` if scales cannot be made anew: for a model without quantised sites, and with options that do not fit. */
export function refuseInt8(
  { graph, source }: OnnxDocument,
  { int8 }: SwapReport,
  { fold }: Pick<SwapOptions, 'fold'>,
): void {
  if (fold) {
    throw new OnnxMishError('bad-usage', 'int8 cannot be combined with fold', {
      fix: 'Leave fold out: without beta, β is in the weights anyway',
    });
  }
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
