import { opsetOf } from '../onnx/document.js';
import type { Form, Target } from './forms.js';
import type { Site } from './site.js';

/** Returns the first form with the fewest obstacles at a site: its opset, its element types, and the provider. */
export function bestForm(
  forms: readonly Form<string>[],
  site: Site,
  target: Target | undefined,
): Form<string> {
  const opset = opsetOf(site.scope);
  const types = site.type === undefined ? (site.several ?? []) : [site.type];
  const obstacles = (form: Form<string>) => {
    if (form.opset > opset) return 3;
    if (types.some((type) => form.types[type] > opset)) return 2;
    return limitsAt(form, site, target).length > 0 ? 1 : 0;
  };
  const least = Math.min(...forms.map(obstacles));
  const best = forms.findLast((form) => obstacles(form) === least);
  const first = forms.find((form) => obstacles(form) === least);
  // Without a form for this opset, the form of the lowest opset gives the advice.
  return (least === 3 ? best : first) as Form<string>;
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
