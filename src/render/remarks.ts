import { plural } from '../base/plural.js';
import type { ProviderRow } from '../validate/report-schema.js';
import { figure, short } from './figures.js';
import { runtimeOf, SOFTWARE } from './summary.js';

/** Maximum nodes listed that ran on another provider. */
const MAX_MOVED_NODES = 3;

/** Returns remarks on a provider as sentences: failures, placement, the first divergence from the CPU, and profile. */
export function remarks(row: ProviderRow): string[] {
  const { provider, status, reason, fix, runtime, notes, retargeted, placement, parting, profile } = row;
  const lines: string[] = [];
  if (status !== 'ran') lines.push(`${status === 'failed' ? 'failed' : 'not available'}: ${reason ?? ''}`);
  if (fix !== null) lines.push(`fix: ${fix}`);
  if (runtime?.renderer != null) {
    lines.push(`${runtimeOf(row)}, ${runtime.software ? `${SOFTWARE} by ` : ''}${runtime.renderer}`);
  } else if (runtime?.browser != null) {
    const threads = runtime.threads === null ? '' : `, ${plural(runtime.threads, 'thread')}`;
    lines.push(`${runtimeOf(row)}${threads}${runtime.simd === false ? ', no SIMD' : ', SIMD'}`);
  }
  if (runtime?.spinning === false && row.latency !== null)
    lines.push(
      'idle threads did not spin (session.intra_op.allow_spinning=0), since two sessions take turns',
    );
  if (retargeted !== null)
    lines.push(
      `the swapped model was rewritten in memory to the ${retargeted} form, because ${provider} cannot run its stored form`,
    );
  for (const model of ['original', 'swapped'] as const) {
    const moved = placement?.[model].moved ?? [];
    const nodes = moved
      .slice(0, MAX_MOVED_NODES)
      .map(({ node, op, provider }) => `${short(node)} (${op}) on ${provider}`);
    const more = moved.length > nodes.length ? ' …' : '';
    if (moved.length > 0)
      lines.push(`${plural(moved.length, 'node')} of the ${model} ran elsewhere: ${nodes.join(', ')}${more}`);
    const at = parting[model];
    if (at !== null) {
      lines.push(
        `the ${model} diverges from the CPU at ${short(at.node)} (${at.op}): max abs ${figure(at.maxAbs)}, SQNR ${figure(at.sqnr)} dB`,
      );
    }
  }
  if (profile !== null) {
    const { original, swapped, mishUs, lostFusionUs } = profile;
    lines.push(
      `operators take ${figure(original.totalUs)} µs per run, swapped ${figure(swapped.totalUs)} µs: ${figure(mishUs)} µs in Mish, ${figure(lostFusionUs)} µs because ONNX Runtime fuses fewer nodes`,
    );
    const forms = profile.forms.map(
      ({ form, us }) => `${form} ${us === null ? 'cannot run' : `${figure(us)} µs`}`,
    );
    if (forms.length > 0) lines.push(`time per run of the swapped model in each form: ${forms.join(', ')}`);
  }
  return [...lines, ...notes].map((line) => `${provider}: ${line}`);
}
