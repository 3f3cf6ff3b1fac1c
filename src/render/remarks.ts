import type { ProviderRow } from '../validate/report-schema.js';
import { figure, short } from './figures.js';
import { runtimeOf, SOFTWARE } from './summary.js';

const MOST_MOVED = 3;

/** What there is to say of a provider in words: why it did not run, where it ran and parted, what it cost. */
export function remarks(row: ProviderRow): string[] {
  const { provider, status, reason, fix, runtime, notes, retargeted, placement, parting, profile } = row;
  const said: string[] = [];
  if (status !== 'ran') said.push(`${status === 'failed' ? 'failed' : 'not available'}: ${reason ?? ''}`);
  if (fix !== null) said.push(`fix: ${fix}`);
  if (runtime?.renderer != null) {
    said.push(`${runtimeOf(row)}, ${runtime.software ? `${SOFTWARE} by ` : ''}${runtime.renderer}`);
  } else if (runtime?.browser != null) {
    const threads =
      runtime.threads === null ? '' : `, ${runtime.threads} thread${runtime.threads === 1 ? '' : 's'}`;
    said.push(`${runtimeOf(row)}${threads}${runtime.simd === false ? ', no SIMD' : ', SIMD'}`);
  }
  if (retargeted !== null)
    said.push(
      `the swapped model was rewritten in memory to the ${retargeted} form, as ${provider} cannot run its own`,
    );
  for (const model of ['original', 'swapped'] as const) {
    const moved = placement?.[model].moved ?? [];
    const nodes = moved
      .slice(0, MOST_MOVED)
      .map(({ node, op, provider }) => `${short(node)} (${op}) on ${provider}`);
    const more = moved.length > nodes.length ? ' …' : '';
    if (moved.length > 0)
      said.push(`${moved.length} nodes of the ${model} ran elsewhere: ${nodes.join(', ')}${more}`);
    const at = parting[model];
    if (at !== null) {
      said.push(
        `the ${model} parts from the CPU at ${short(at.node)} (${at.op}): max abs ${figure(at.maxAbs)}, SQNR ${figure(at.sqnr)} dB`,
      );
    }
  }
  if (profile !== null) {
    const { original, swapped, mishUs, lostFusionUs } = profile;
    said.push(
      `a run takes ${figure(original.totalUs)} µs in operators, swapped ${figure(swapped.totalUs)} µs: ${figure(mishUs)} µs in Mish, ${figure(lostFusionUs)} µs of lost fusion`,
    );
    const forms = profile.forms.map(
      ({ form, us }) => `${form} ${us === null ? 'cannot run' : `${figure(us)} µs`}`,
    );
    if (forms.length > 0) said.push(`a run of the swapped model in each form: ${forms.join(', ')}`);
  }
  return [...said, ...notes].map((line) => `${provider}: ${line}`);
}
