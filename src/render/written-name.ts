import { activationLabel } from '../mish/activations.js';

/** Adds the form of Mish to what was written in it. */
export const inForm = (what: string, form: string) => `${what} in the ${form} form`;

/** Names a written activation: `Mish in the exp form`, `GELU`. */
export function writtenName({
  to,
  form,
}: {
  readonly to?: string | undefined;
  readonly form: string;
}): string {
  return (to ?? 'mish') === 'mish' ? inForm(activationLabel(to), form) : activationLabel(to);
}
