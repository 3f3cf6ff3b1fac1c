import { FORMS, type FormName } from './forms.js';
import { MISH, type NewActivation, type ReplacementOptions } from './new-activation.js';

/**
 * Returns the activation that the options name. For smaller pages, all others than exact Mish with a sharpness of at least 1 are
 * loaded on demand. Throws `bad-usage` for an unknown name, or an option that the activation does not have.
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
