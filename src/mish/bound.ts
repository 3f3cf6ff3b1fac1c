import type { Form, Variant } from './forms.js';

/** Returns the largest difference of a form from the exact function of a variant; undefined for an exact form. */
export function boundOf(
  { bound }: Pick<Form<string>, 'bound'>,
  { beta, leak = 0 }: Variant,
): number | undefined {
  return bound && (bound * Math.abs(1 - leak)) / beta;
}

/** Returns the largest bound of the sites, for a report, and its note. */
export function describeBound(form: Form, sites: readonly Variant[]) {
  if (sites.length === 0) return { bound: {}, notes: [] };
  const bound = sites.reduce((most, site) => Math.max(most, boundOf(form, site) ?? 0), 0);
  const note = `the ${form.name} form approximates Mish: a site differs by at most ${Number(bound.toPrecision(3))}`;
  return { bound: { bound }, notes: [note] };
}
