import { opsetOf } from '../onnx/document.js';
import type { Form, Target } from './forms.js';
import type { Site } from './site.js';

/**
 * Returns the form that fits a site best: one that the opset has comes first, then one that takes the element types, then one that
 * the provider runs well. The order of `forms` decides among equal ones.
 */
export function bestForm(
  forms: readonly Form<string>[],
  site: Site,
  target: Target | undefined,
): Form<string> {
  const opset = opsetOf(site.scope);
  const types = site.type === undefined ? (site.several ?? []) : [site.type];
  const obstacle = (form: Form<string>) => {
    if (form.opset > opset) return 3;
    if (types.some((type) => form.types[type] > opset)) return 2;
    return limitsAt(form, site, target).length > 0 ? 1 : 0;
  };
  const least = Math.min(...forms.map(obstacle));
  const [first] = forms.filter((form) => obstacle(form) === least);
  // Without a form for this opset, the form of the lowest opset gives the advice: the last one.
  return (least === 3 ? forms.at(-1) : first) as Form<string>;
}

/** Returns the limits of a form at a site, on the provider or, without a provider, on the CPU. */
export function limitsAt(form: Form<string>, { type, several, scope }: Site, target: Target = 'cpu') {
  return form.limits.filter(
    (limit) =>
      limit.on.includes(target) &&
      (limit.type === undefined || limit.type === type || several?.includes(limit.type)) &&
      (limit.before === undefined || opsetOf(scope) < limit.before),
  );
}
