import { onnx } from '../../proto/onnx.js';
import { scalarTensor } from '../onnx/scalar.js';
import type { FloatType } from '../onnx/types.js';
import { type Channels, constantValue, FLOOR, type Form, stepsOf, type Variant } from './forms.js';

const AttributeType = onnx.AttributeProto.AttributeType;
/** The opset in which Clip's bounds became inputs. */
export const CLIP_INPUTS_OPSET = 11;
/** The first opset that has CastLike. */
export const CAST_LIKE_OPSET = 15;
/** The opset from which arithmetic operators broadcast without an attribute. */
export const BROADCASTING_OPSET = 7;

export interface Emission extends Variant {
  readonly form: Form<string>;
  /** Element types of the site: several if its function is called with several. May be empty if the form needs no constants. */
  readonly types: readonly FloatType[];
  /** Opset of the graph or function that receives the nodes. */
  readonly opset: number;
  /** Name of the site's input. */
  readonly x: string;
  /** Name of the site's output. */
  readonly y: string;
  /** Prefix of the new nodes' names. */
  readonly prefix: string;
  /** Returns a name that no node or value has. */
  readonly fresh: (wanted: string) => string;
  /** Returns the name of a constant visible at the site, a scalar or a vector of channels; creates it on first use. */
  readonly constant: (label: string, value: number, type: FloatType, channels?: Channels) => string;
}

/** Returns whether the form needs constants for this variant. If so, the element type must be known. */
export function needsConstants(form: Form<string>, variant: Variant): boolean {
  return labelsOf(form, variant).length > 0;
}

/** Returns whether the form can be written for a site of these types. Several types need constants cast to the input's type. */
export function suits(
  form: Form<string>,
  variant: Variant,
  types: readonly FloatType[],
  opset: number,
): boolean {
  const labels = labelsOf(form, variant);
  if (labels.length === 0 || types.length === 1) return true;
  return (
    opset >= CAST_LIKE_OPSET &&
    labels.every((label) => commonValue(form, variant, types, label) !== undefined)
  );
}

/** Returns the names of the constants that the form reads. */
function labelsOf(form: Form<string>, variant: Variant): string[] {
  return stepsFor(form, variant).flatMap(({ inputs }) => inputs.filter((name) => name in form.constants));
}

/** Returns the value of a constant if it is the same for all these types. For floors: the greatest, which each type holds. */
function commonValue(
  form: Form<string>,
  { beta, leak }: Variant,
  types: readonly FloatType[],
  label: string,
) {
  const values = types.map((type) => constantValue(form.constants[label] ?? 0, type, beta, leak));
  const greatest = Math.max(...values);
  const isCommon = label === 'floor' || values.every((value) => value === greatest);
  return values.length > 0 && isCommon ? greatest : undefined;
}

function stepsFor(form: Form<string>, { beta, leak }: Variant) {
  return stepsOf(form, beta !== 1, leak !== undefined);
}

/** Returns the nodes that compute the activation in this form, in topological order. */
export function emit(emission: Emission): onnx.INodeProto[] {
  const { form, types, opset, x, y, prefix, fresh } = emission;
  const path = `${prefix}/${form.activation ?? 'mish'}`;
  const names = new Map([['x', x]]);
  const casts: onnx.INodeProto[] = [];
  // Callers check `suits` first.
  const value = (label: string) => commonValue(form, emission, types, label) ?? Number.NaN;
  const constant = (label: string, op: string): string => {
    const [only = 'f32', other] = types;
    const channels = op === 'BatchNormalization' ? form.channels : undefined;
    if (other === undefined) return emission.constant(label, value(label), only, channels);
    const name = fresh(`${path}/${label}`);
    const made = emission.constant(label, value(label), types.includes('f64') ? 'f64' : 'f32');
    casts.push({ opType: 'CastLike', name, input: [made, x], output: [name] });
    return name;
  };
  const nodes = stepsFor(form, emission).map((step) => {
    const attributes: onnx.IAttributeProto[] = Object.entries(step.attributes ?? {}).map(([name, one]) => ({
      name,
      type: AttributeType.FLOAT,
      f: constantValue(one, 'f32', emission.beta, emission.leak),
    }));
    const operands = step.inputs.filter((name) => {
      if (step.op !== 'Clip' || opset >= CLIP_INPUTS_OPSET || !(name in form.constants)) return true;
      attributes.push({
        name: name === 'cap' ? 'max' : 'min',
        type: AttributeType.FLOAT,
        f: Math.max(value(name), FLOOR.f32), // a float attribute is float32, also for float64
      });
      return false;
    });
    const hasConstant = operands.some((name) => name in form.constants);
    if (hasConstant && opset < BROADCASTING_OPSET)
      attributes.push({ name: 'broadcast', type: AttributeType.INT, i: 1 });
    const input = operands.map((label) => {
      const name = names.get(label) ?? (label in form.constants ? constant(label, step.op) : label);
      names.set(label, name);
      return name;
    });
    const name = fresh(step.output === 'y' ? path : `${path}/${step.output}`);
    if (step.output !== 'y') names.set(step.output, name);
    return { opType: step.op, name, input, output: [names.get(step.output) ?? y], attribute: attributes };
  });
  return [...casts, ...nodes];
}

/** Builds a Constant node for a scalar. It uses the attribute `value`, which every opset has. */
export function constantNode(name: string, value: number, type: FloatType): onnx.INodeProto {
  const attribute = [{ name: 'value', type: AttributeType.TENSOR, t: scalarTensor(value, type) }];
  return { opType: 'Constant', name, output: [name], attribute };
}
