import { FORMS, type FormName } from './forms.js';
import { MISH, type NewActivation, type ReplacementOptions } from './new-activation.js';

/**
 * Returns the activation that the options name. Activations other than Mish are loaded on demand, for smaller pages, as is what
 * differs in approximate and flatter Mish. Throws
 * `bad-usage` for an unknown name, or an option that the activation does not have.
 */
export async function loadActivation(
  options: ReplacementOptions & { readonly [option: string]: unknown },
): Promise<NewActivation> {
  const { to = 'mish', alpha, form, beta } = options;
  if (to === 'mish' && alpha === undefined && !(Number(beta) < 1) && !FORMS[form as FormName]?.bound)
    return MISH;
  const { replacementFor } = await import('./replacements.js');
  return replacementFor(to, options);
}
