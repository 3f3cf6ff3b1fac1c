// Notes that few models need, loaded on demand.

import type { OptionHint } from '../base/option-hint.js';
import { integer, plural } from '../base/plural.js';
import type { Analysis } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { kindNamed } from './activation-kinds.js';
import { countActivations } from './count-activations.js';
import { MISH, type NewActivation } from './new-activation.js';
import type { SiteOptions } from './sites.js';

/** Maximum size of a protobuf message in bytes: ONNX Runtime and Python's onnx refuse larger files. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

/** Returns a line, with the remedy, if a model is too large for ONNX Runtime. */
export function noteOnSize(bytes: number): string[] {
  if (bytes <= MAX_MESSAGE_BYTES) return [];
  return [
    `${integer(bytes)} bytes are more than protobuf’s 2 GiB, and ONNX Runtime refuses such a file; store its weights as external data`,
  ];
}

/** Returns the note on the sites that -Infinity reaches. */
export function noteOnMinusInfinity(
  sites: readonly { readonly minusInfinity?: string | undefined }[],
  { label, atMinusInfinity }: NewActivation = MISH,
): string[] {
  const reached = sites.filter(({ minusInfinity }) => minusInfinity !== undefined);
  const [first] = reached;
  if (first === undefined || atMinusInfinity === undefined) return [];
  const many = reached.length === 1 ? 'a site' : plural(reached.length, 'site');
  return [
    `the constant -Infinity '${first.minusInfinity}' reaches ${many}, where ReLU gives 0 and ${label} gives ${atMinusInfinity}; use a finite number instead, such as -10000`,
  ];
}

/** Returns the note on ReLUs of QuantizeLinear nodes, which only `int8` swaps. */
export function noteOnImpliedRelus(count: number): string[] {
  if (count === 0) return [];
  const nodes = count === 1 ? 'a QuantizeLinear clips' : `${integer(count)} QuantizeLinear clip`;
  return [`${nodes} negative values in place of a Relu node, and Mish can be written there`];
}

/**
 * Returns the advice for a model without sites that has activations of kinds that are swapped only if they are named. `to` is
 * the activation that a swap writes.
 */
export function adviceOnKinds(
  kinds: Readonly<Record<string, number>>,
  to?: string,
): { text: string; only: string }[] {
  const others = Object.entries(kinds).filter(
    ([name]) => kindNamed(name)?.byDefault === false && name !== to,
  );
  if (others.length === 0) return [];
  const names = others.map(([name]) => name);
  const text = `there is no Relu and no LeakyRelu to swap, and other activations are swapped only if they are named: ${others
    .map(([name, count]) => `${integer(count)} ${name}`)
    .join(', ')}`;
  return [{ text, only: names.join(',') }];
}

/** Layers on integers, which have scales of their own and may contain a ReLU. */
const LAYERS = /^(QLinear(Conv|MatMul)|QGemm)$/;

/** Layers that ONNX Runtime's optimiser writes, which may contain an activation. */
const OPTIMISED = /^com\.microsoft\.((Nhwc)?Fused(Conv|Gemm)|nchwc\.Conv)$/;

/**
 * Returns the notes on layers that compute on integers or that ONNX Runtime optimised, and on the ReLUs that may be inside; and
 * on activations of other kinds, where a swap of the kinds by default found none. Stores the options of its advice in `options`.
 */
export async function noteOnOperators(
  document: OnnxDocument,
  analysis: Analysis,
  found: readonly unknown[],
  { plan, only, to }: Pick<SiteOptions, 'only' | 'to'> & { readonly plan?: unknown },
  options: Record<string, OptionHint>,
): Promise<string[]> {
  const nodes = document.scopes.flatMap((scope) => scope.nodes);
  const notes = describeLayers(
    nodes.map(({ domain, opType }) => [domain === '' ? opType : `${domain}.${opType}`, 1]),
  );
  if (found.length > 0 || (plan ?? only) !== undefined) return notes;
  for (const { text, only } of adviceOnKinds(await countActivations(document, analysis), to)) {
    options[text] = { only };
    notes.push(text);
  }
  return notes;
}

/** Returns the notes for counts of operators, as in an inspection. */
export const noteOnCounts = (operators: Readonly<Record<string, number>>): string[] =>
  describeLayers(Object.entries(operators));

function describeLayers(counts: readonly (readonly [string, number])[]): string[] {
  const onIntegers = counts.filter(([name]) => LAYERS.test(name.split('.').at(-1) ?? ''));
  const count = onIntegers.reduce((sum, [, each]) => sum + each, 0);
  const nodes = count === 1 ? 'a layer computes' : `${plural(count, 'layer')} compute`;
  const integers = `${nodes} on integers as QLinearConv, QLinearMatMul or QGemm, and ReLUs inside stay; quantise the float model with QuantizeLinear and DequantizeLinear instead (QuantFormat.QDQ of onnxruntime.quantization)`;
  const optimised =
    'ONNX Runtime optimised this model, and activations inside its FusedConv, FusedGemm and blocked Conv stay; swap the model as it was before that';
  return [
    ...(count === 0 ? [] : [integers]),
    ...(counts.some(([name]) => OPTIMISED.test(name)) ? [optimised] : []),
  ];
}

/** Returns the note on Mish whose nodes were quantised one by one, for a model in which no Mish is found. */
export function noteOnQuantizedParts(operators: Readonly<Record<string, number>>): string[] {
  if (!['Softplus', 'Tanh', 'QuantizeLinear'].every((name) => Object.hasOwn(operators, name))) return [];
  return [
    'Softplus and Tanh stand beside QuantizeLinear: Mish whose nodes were quantised one by one is not found; quantise the model with its ReLUs, and swap them in that one',
  ];
}

/** Returns the note on sites that are in the exp form because the chosen form does not run. */
export function noteOnOtherForm(sites: number): string {
  const start = sites === 1 ? 'a site is' : plural(sites, 'site is', 'sites are');
  return `${start} in the exp form: ONNX Runtime has no Softplus for float64`;
}
