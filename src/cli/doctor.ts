import { Command } from 'commander';
import { FORM_FOR, TARGETS } from '../mish/forms.js';
import { nodeProvider } from '../providers/node.js';
import { PROVIDERS, type ProviderName } from '../providers/types.js';
import { sweep } from '../validate/sweep.js';
import { commonOptions } from './options.js';
import { clean, columns } from './text.js';

interface Diagnosis {
  readonly provider: ProviderName;
  readonly works: boolean;
  readonly says: string;
  readonly fix: string | null;
}

export function command(): Command {
  const command = new Command('doctor')
    .summary('which execution providers work here')
    .description('Runs a Mish kernel on every execution provider, and says what is missing where it cannot.');
  return commonOptions(command)
    .addHelpText('after', '\nExamples:\n  $ onnx-mish doctor')
    .action(async (flags: { json?: boolean }) => {
      const found: Diagnosis[] = [];
      for (const name of PROVIDERS) found.push(await diagnose(name));
      if (flags.json) console.log(JSON.stringify(found, null, 2));
      else
        console.log(
          columns(
            found.map(({ provider, works, says }) => [provider, works ? 'works' : 'no', clean(says)]),
            '',
          ),
        );
    });
}

/** The error a working f32 kernel stays below: rounding, with room for a fast exponential. */
const TOLERANCE = 1e-4;

async function diagnose(name: ProviderName): Promise<Diagnosis> {
  const provider = nodeProvider(name);
  const availability = await provider.availability();
  if (!availability.available) {
    const { reason, fix } = availability;
    return { provider: name, works: false, says: `${reason}. ${fix}.`, fix };
  }
  const target = TARGETS.find((known) => known === name);
  const form = target === undefined ? 'softplus' : FORM_FOR[target];
  const { maxAbs, problem } = await sweep(provider, { kind: 'mish', form, beta: 1 }, 'f32', 18);
  const says = `ONNX Runtime ${provider.version}, the ${form} form is ${maxAbs?.toExponential(1)} from exact at most`;
  if (problem !== null) return { provider: name, works: false, says: problem, fix: null };
  return { provider: name, works: maxAbs !== null && maxAbs < TOLERANCE, says, fix: null };
}
