import { Command } from 'commander';
import { inWords } from '../../base/in-words.js';
import { FORM_FOR, TARGETS } from '../../mish/forms.js';
import { getProvider } from '../../node/provider-by-name.js';
import type { BrowserSettings } from '../../providers/browser/provider.js';
import { PROVIDERS, type ProviderName } from '../../providers/provider.js';
import { WEB_PROVIDERS, webFacts } from '../../providers/web-providers.js';
import { type Sweep, sweep } from '../../validate/kernel-sweep.js';
import { toleranceFor } from '../../validate/tolerance.js';
import { interruptible, stopIfInterrupted } from '../io/exit.js';
import { commonOptions, configOptions, list } from '../options/options.js';
import { withFlags } from '../text/flags.js';
import { say, sayJson } from '../text/say.js';
import { clean, columns, plural } from '../text/text.js';

/** Result of a provider’s kernel, or the reason why there is none. */
interface Diagnosis {
  readonly provider: ProviderName;
  readonly works: boolean;
  readonly says: string;
  readonly fix: string | null;
}

/** Options of the command, as parsed by commander. */
interface Flags {
  readonly browser?: string;
  readonly install?: true | string[];
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function command(): Command {
  const command = new Command('doctor')
    .summary('show which execution providers work here')
    .description('Runs a Mish kernel on every execution provider, and names what a provider is missing.')
    .option('--browser <path>', `the browser for ${inWords(WEB_PROVIDERS)} (default: searched for)`)
    .option(
      '--install [packages]',
      'show the command that installs the missing packages, ask, and run it',
      list,
    )
    .option('--yes', 'with --install: do not ask');
  return commonOptions(configOptions(command))
    .addHelpText(
      'after',
      `
The browser is the one named, else that of the environment variable ONNX_MISH_BROWSER, CHROME_PATH or CHROME_BIN,
else an installed Chrome, Edge or Chromium, else the one of the npm package @sparticuz/chromium (Linux on x64).
webgpu is that of the browser, webgpu-native that of onnxruntime-node.

Packages that not every command needs, and that --install installs:
  onnxruntime-node  cpu, cuda, tensorrt, dml, coreml, webgpu-native: what runs a model here (300 MB)
  onnxruntime-web   ${WEB_PROVIDERS.join(', ')}, and the workbench of ui (150 MB)
  playwright-core   ${WEB_PROVIDERS.join(', ')}: starts the browser (14 MB)
  sharp             --images and folders of images: decodes them (20 MB)

Examples:
  $ onnx-mish doctor
  $ onnx-mish doctor --install
  $ onnx-mish doctor --install onnxruntime-node,sharp --yes
  $ onnx-mish doctor --browser /usr/bin/chromium`,
    )
    .action(async ({ json, browser, install, yes }: Flags) => {
      if (install !== undefined) {
        const { installPackages } = await import('./install-packages.js');
        return installPackages({ install, yes, json });
      }
      const signal = interruptible();
      const found: Diagnosis[] = [];
      for (const name of PROVIDERS) {
        found.push(await diagnose(name, { browser, signal }));
        stopIfInterrupted();
      }
      if (json) sayJson(found);
      else {
        const lines = found.map((diagnosis, index) => [
          diagnosis.provider,
          diagnosis.works ? 'works' : 'no',
          clean(withoutRepeated(diagnosis, found.slice(0, index))),
        ]);
        say(columns(lines, ''));
      }
    });
}

/** Opset of the kernels that are run: the first with the operator Mish. */
const KERNEL_OPSET = 18;

/** Returns the text of a diagnosis, without advice that an earlier diagnosis has given. */
function withoutRepeated({ says, fix }: Diagnosis, earlier: readonly Diagnosis[]): string {
  const isRepeated = fix !== null && earlier.some((other) => other.fix === fix);
  return isRepeated ? says.replace(` ${fix}.`, '') : says;
}

async function diagnose(name: ProviderName, settings: BrowserSettings): Promise<Diagnosis> {
  const provider = getProvider(name, settings);
  try {
    const availability = await provider.availability();
    if (!availability.available) {
      const { reason, option } = availability;
      const fix = withFlags(availability.fix, option);
      return { provider: name, works: false, says: `${reason}. ${fix}.`, fix };
    }
    const target = TARGETS.find((known) => known === name.replace('-native', ''));
    const form = target === undefined ? 'softplus' : FORM_FOR[target];
    const result = await sweep(provider, { kind: 'mish', form, beta: 1 }, 'f32', KERNEL_OPSET);
    const { problem, runtime } = result;
    if (problem !== null) return { provider: name, works: false, says: problem, fix: null };
    const { isRight, text } = judgeKernel(form, result, toleranceFor(name, 'f32').kernel);
    const parts = [`ONNX Runtime ${runtime?.version ?? provider.version}`, ...describe(runtime), text];
    const web = WEB_PROVIDERS.find((one) => one === name);
    const notice = web && webFacts(web).notice;
    const says = `${parts.join(', ')}${notice === undefined ? '' : `. ${notice}`}`;
    return { provider: name, works: isRight, says, fix: null };
  } finally {
    await provider.close?.();
  }
}

/** Judges the results of a kernel that ran, and describes them. Those that are not finite have no error. */
export function judgeKernel(
  form: string,
  { maxScaled, broken }: Pick<Sweep, 'maxScaled' | 'broken'>,
  tolerance: number,
): { isRight: boolean; text: string } {
  if (broken > 0 || maxScaled === null)
    return {
      isRight: false,
      text: `the ${form} form gives NaN or an infinity at ${plural(broken, 'point')}`,
    };
  const isRight = maxScaled <= tolerance;
  const most = `the error of the ${form} form is at most ${maxScaled.toExponential(1)}`;
  return { isRight, text: isRight ? most : `${most}, which is too much` };
}

function describe(runtime: Sweep['runtime']): string[] {
  const { browser = null, renderer = null, software = null, threads = null } = runtime ?? {};
  return [
    ...(browser === null ? [] : [browser]),
    ...(browser === null || threads === null ? [] : [plural(threads, 'thread')]),
    ...(renderer === null ? [] : [`${software ? 'software rendering by ' : ''}${renderer}`]),
  ];
}
