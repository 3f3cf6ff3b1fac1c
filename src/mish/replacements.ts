import { OnnxMishError } from '../base/error.js';
import { depthOf, kindNamed, REPLACEMENTS, type ReplacementName } from './activation-kinds.js';
import { ACTIVATIONS, type Activation, DEFAULT_SLOPE } from './activations.js';
import { bestForm, limitsAt } from './best-form.js';
import { FORMS, type FormName, MAX_SLOPE, type Target } from './forms.js';
import type { NewActivation, Recipes, ReplacementOptions } from './new-activation.js';
import { unknownActivation } from './unknown-activation.js';
import { zeroQuestions } from './use-zero.js';

/** Options that only some activations have. */
type Checked = ReplacementOptions & {
  readonly beta?: unknown;
  readonly form?: unknown;
  readonly leaky?: unknown;
};

/** Does what `loadActivation` does, for activations other than Mish and for options that Mish does not have. */
export function replacementFor(to: string, options: Checked): NewActivation {
  const name = REPLACEMENTS.find((one) => one === kindNamed(to)?.name);
  if (name === undefined) throw unknownActivation(to);
  const activation = ACTIVATIONS[name];
  checkOptions(activation, options);
  const { label, atMinusInfinity } = activation;
  const recipes = recipesOf(activation, options.alpha);
  return {
    name,
    label,
    atMinusInfinity,
    recipes,
    depth: depthAt(name, options),
    zeros: zerosOf(name, options),
  };
}

function checkOptions({ name, label, parameter }: Activation, { alpha, beta, form, leaky }: Checked): void {
  const refuse = (option: string, what: string, fix: string) => {
    throw new OnnxMishError('bad-usage', what, { fix, option: { [option]: null } });
  };
  if (alpha !== undefined && parameter !== 'alpha')
    refuse('alpha', `${label} has no slope α`, 'Leave alpha out, or write leakyrelu');
  if (beta !== undefined && beta !== 1 && parameter !== 'beta')
    refuse('beta', `${label} is written without a sharpness β`, 'Leave beta out, or write mish or swish');
  if (form !== undefined && name !== 'mish')
    refuse('form', `the option form chooses a form of Mish, and ${label} is written`, 'Leave form out');
  if (leaky !== undefined && leaky !== 'mish' && name !== 'mish')
    refuse('leaky', `a mixture with ${label} is not possible`, 'Leave leaky out, or write mish');
  if (alpha !== undefined && !(Math.abs(alpha) <= MAX_SLOPE && alpha !== 0))
    refuse(
      'alpha',
      `the slope α cannot be ${alpha}`,
      `Give a number from -${MAX_SLOPE} to ${MAX_SLOPE}, but not 0`,
    );
}

function recipesOf(activation: Activation, alpha: number | undefined): Recipes | undefined {
  const { name, forms } = activation;
  if (name === 'mish') return undefined;
  return {
    forms,
    choose: (site, target) => bestForm(forms, site, target),
    slope({ kind, alpha: own, leak }) {
      if (activation.parameter !== 'alpha') return undefined;
      const ofMixture = kind === 'mish' && typeof own === 'number' ? own : undefined;
      return leak ?? alpha ?? ofMixture ?? DEFAULT_SLOPE;
    },
    notes,
  };
}

/** Returns how far below zero the values of an activation are, in its form and with its sharpness. */
function depthAt(name: ReplacementName, { form, beta }: Checked): number {
  const depth = FORMS[form as FormName]?.depth ?? depthOf(name);
  return typeof beta === 'number' && beta > 0 ? depth / Math.min(beta, 1) : depth;
}

/** Returns the questions about zeros, for an activation that gives zero for a range of inputs. */
function zerosOf(name: ReplacementName, { form, leaky }: Checked): NewActivation['zeros'] {
  if (!ACTIVATIONS[name].hasZeros && !(name === 'mish' && form === 'hard')) return undefined;
  // A mixture with LeakyReLU keeps its slope.
  return { kinds: ['hardswish', ...(leaky === 'mixture' ? ['leakyrelu'] : [])], questions: zeroQuestions };
}

const notes: Recipes['notes'] = (sites) => {
  const targets = ['cpu', 'wasm', 'webgl'] as const;
  const found = new Map<string, Set<Target>>();
  for (const site of sites)
    for (const target of targets)
      for (const { says, before } of limitsAt(site.form, site, target)) {
        const line = before === undefined ? says : `${says} before opset ${before}`;
        const on = found.get(line) ?? new Set();
        found.set(line, on.add(target));
      }
  return [...found].map(([says, on]) => `${[...on].join(' and ')}: ${says}`);
};
