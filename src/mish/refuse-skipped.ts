import { OnnxMishError } from '../base/error.js';
import { integer } from '../base/plural.js';
import type { Skip } from './site.js';
import { siteLabel } from './sites.js';

/** Throws `skipped` if an activation is skipped for any reason except the caller's options. */
export function refuseSkipped(skipped: readonly Skip[], source: string): void {
  const failures = skipped.filter(({ reason }) => reason !== 'excluded');
  const [first] = failures;
  if (first === undefined) return;
  const rest = failures.length > 1 ? `, and ${integer(failures.length - 1)} more` : '';
  throw new OnnxMishError('skipped', `${siteLabel(first)} cannot be swapped: ${first.why}${rest}`, {
    where: source,
    fix: 'Leave it out, or drop strict',
    option: { exclude: null, strict: null },
  });
}
