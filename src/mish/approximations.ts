import { constantValue, FORMS, type Form, type FormName, stepsOf } from './forms.js';
import { sigmoid } from './reference.js';

/** An approximate form as a function. */
export interface Approximation {
  readonly form: FormName;
  /** Computes the form in float64, for β = 1. */
  readonly f: (x: number) => number;
  /** The gate f(x) / x at 0. */
  readonly middle: number;
  /** Slope of the gate at 0. */
  readonly slope: number;
}

const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  Mul: (a, b) => a * b,
  Add: (a, b) => a + b,
  Sigmoid: sigmoid,
  Tanh: Math.tanh,
};

const EPSILON = 1e-4;

let list: readonly Approximation[] | undefined;

/** Returns the approximate forms as functions. */
export function approximations(): readonly Approximation[] {
  list ??= Object.values(FORMS).flatMap((form) => {
    if (form.bound === undefined) return [];
    const f = functionOf(form);
    const [above, below] = [f(EPSILON) / EPSILON, f(-EPSILON) / -EPSILON];
    return [{ form: form.name, f, middle: (above + below) / 2, slope: (above - below) / (2 * EPSILON) }];
  });
  return list;
}

/** Returns the function that the steps of a form compute. */
function functionOf(form: Form): (x: number) => number {
  const steps = stepsOf(form, false);
  const constants = Object.entries(form.constants).map(
    ([name, constant]) => [name, constantValue(constant, 'f64', 1)] as const,
  );
  return (x) => {
    const values = new Map<string, number>([...constants, ['x', x]]);
    for (const { op, inputs, output, attributes = {} } of steps) {
      const [a = Number.NaN, b = Number.NaN] = inputs.map((name) => values.get(name));
      const number = (name: string) => constantValue(attributes[name] ?? Number.NaN, 'f64', 1);
      const hard = () => Math.min(Math.max(number('alpha') * a + number('beta'), 0), 1);
      values.set(output, op === 'HardSigmoid' ? hard() : (OPERATORS[op]?.(a, b) ?? Number.NaN));
    }
    return values.get('y') ?? Number.NaN;
  };
}
