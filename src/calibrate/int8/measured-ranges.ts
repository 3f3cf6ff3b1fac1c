import type { Subset } from '../../data/split.js';
import { quantizationFor, type Range } from '../../mish/quantization.js';
import type { MeasuredRanges, NewScale } from '../../mish/requantise.js';
import type { SwapReport } from '../../mish/results.js';
import { MOVES } from '../../mish/use-moves.js';
import type { Node } from '../../onnx/document.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import type { MeasureTensorsOptions } from '../activations/measure-tensors.js';
import type { FloatVersion } from './float-version.js';
import { isSymmetric, type QuantisedValue } from './quantised-values.js';
import { countValues, type RangeRule, rangeBy, type ValueCounts } from './ranges.js';

/** Operators whose results have a fixed range. */
const FIXED: ReadonlySet<string> = new Set(['Sigmoid', 'Softmax', 'Tanh', 'HardSigmoid', 'Erf']);

/** The float tensors whose ranges count. */
interface RangePlaces {
  /** Tensors by quantised value; tensors that nodes merely move share one. */
  readonly quantised: ReadonlyMap<QuantisedValue, string>;
  /** Inputs of the sites by their outputs. */
  readonly inputs: ReadonlyMap<string, string>;
}

/** Finds the tensors of the float version whose ranges decide scales: not the inputs of the model, and none of a fixed range. */
function rangePlaces(
  { model, quantised, tensorOf }: FloatVersion,
  { sites }: Pick<SwapReport, 'sites'>,
): RangePlaces {
  const { graph } = model.document;
  const index = indexGraphs(model.document);
  const producer = (name: string) => index.producer(graph, name);
  const fed = new Set(graph.inputs.map(({ name }) => name));
  const origin = (tensor: string): string => {
    let name = tensor;
    for (let node = producer(name); node && MOVES.has(node.opType); node = producer(name))
      name = node.inputs[0] ?? '';
    return name;
  };
  const tensors = quantised.flatMap((value) => {
    const tensor = origin(tensorOf(value));
    const isFixed = fed.has(tensor) || FIXED.has(producer(tensor)?.opType ?? '');
    return isFixed ? [] : [[value, tensor] as const];
  });
  const inputs = sites.flatMap(({ scope, output }) => {
    const input = producer(output)?.inputs[0];
    return scope === 'graph' && input !== undefined ? [[output, input] as const] : [];
  });
  return { quantised: new Map(tensors), inputs: new Map(inputs) };
}

/**
 * Returns the ranges of all quantised tensors by a rule. The input of a site gets the upper end of its output: Mish of a large
 * number is that number, so that the input need not hold what the output cannot. In `more`, which is for tensors away from sites,
 * symmetric scales stay symmetric.
 */
function measuredRanges(
  rule: RangeRule,
  { quantised, inputs }: RangePlaces,
  counts: ReadonlyMap<string, ValueCounts>,
): MeasuredRanges {
  const byName = new Map<string, Range>();
  const byTensor = new Map<string, Range>();
  const more = new Map<Node, NewScale>();
  for (const [{ node, scope, quantization, dequantizers }, tensor] of quantised) {
    const found = counts.get(tensor);
    const range = found && rangeBy(rule, found, quantization);
    if (found === undefined || range === undefined) continue;
    byName.set(node.outputs[0] ?? '', range);
    byTensor.set(tensor, range);
    const isEven = isSymmetric(quantization.elemType, quantization.zeroPoint);
    const kept = isEven ? rangeBy(rule, found, quantization, true) : range;
    const made = kept && quantizationFor(kept, quantization);
    if (made !== undefined) more.set(node, { scope, quantization: made, dequantizers });
  }
  for (const [output, input] of inputs) {
    const least = Math.min(0, counts.get(input)?.least ?? 0);
    const most = byTensor.get(output)?.most ?? counts.get(input)?.most ?? 0;
    if (!(most > 0)) continue;
    byName.set(input, { least, most });
    for (const [{ node }, tensor] of quantised)
      if (tensor === input) byName.set(node.outputs[0] ?? '', { least, most });
  }
  return { byName, more };
}

/**
 * Measures the float tensors that the quantised model holds as integers, on samples of the repaired float version. Returns a
 * function from a rule to the ranges. Throws `aborted`, and what the provider throws, except `run-failed`.
 */
export async function measureRanges(
  floats: FloatVersion,
  swap: Pick<SwapReport, 'sites'>,
  repaired: EditableModel,
  subset: Pick<Subset, 'feeds' | 'runs'>,
  options: MeasureTensorsOptions & OnProvider,
): Promise<(rule: RangeRule) => MeasuredRanges> {
  const places = rangePlaces(floats, swap);
  const names = [...places.quantised.values(), ...places.inputs.values()];
  const counts = await countValues(names, repaired, subset, options);
  return (rule) => measuredRanges(rule, places, counts);
}
