// The command that installs packages where this package finds them.
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Command that installs packages. */
export interface Install {
  readonly program: 'npm' | 'pnpm' | 'yarn' | 'bun';
  readonly args: readonly string[];
  /** Variables of the environment that the command needs. */
  readonly env: Readonly<Record<string, string>>;
}

/** Facts on which the command depends. */
export interface InstallFacts {
  /** Path of a file of this package. */
  readonly file: string;
  readonly cwd: string;
  /** Value of `npm_config_user_agent`: name and version of the package manager that started this process. */
  readonly userAgent: string;
  readonly platform: string;
  readonly arch: string;
}

/** Returns the command that installs packages for this process. */
export function installCommand(specs: readonly string[], given: Partial<InstallFacts> = {}): Install {
  const facts = { ...factsHere(), ...given };
  const isGlobal = isInstalledGlobally(facts);
  const program = isGlobal ? globalProgram(facts.file) : programOf(facts);
  const verb = program === 'npm' ? 'install' : 'add';
  const globally = { npm: ['--global'], pnpm: ['--global'], yarn: [], bun: ['--global'] }[program];
  return {
    program,
    args: [
      ...(isGlobal && program === 'yarn' ? ['global'] : []),
      verb,
      ...(isGlobal ? globally : []),
      ...specs,
    ],
    env: envFor(specs, facts),
  };
}

/** Returns the command that installs packages, as a line for a shell. */
export function installLine(specs: readonly string[], given?: Partial<InstallFacts>): string {
  const { program, args, env } = installCommand(specs, given);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [...variables, program, ...args].join(' ');
}

const factsHere = (): InstallFacts => ({
  file: realpathSync(fileURLToPath(import.meta.url)),
  cwd: process.cwd(),
  userAgent: process.env.npm_config_user_agent ?? '',
  platform: process.platform,
  arch: process.arch,
});

/** On Linux x64, the install script of onnxruntime-node downloads CUDA libraries from NuGet unless told not to. */
function envFor(specs: readonly string[], { platform, arch }: InstallFacts): Record<string, string> {
  const downloads = platform === 'linux' && arch === 'x64';
  const has = specs.some((spec) => spec.startsWith('onnxruntime-node@'));
  return downloads && has ? { ONNXRUNTIME_NODE_INSTALL: 'skip' } : {};
}

/**
 * Paths outside of the project that are no global installations: the caches of npx and dlx, the archives of Yarn’s Plug’n’Play, and
 * pnpm’s store.
 */
const ELSEWHERE = [
  /[\\/](_npx|dlx(-[^\\/]*)?)[\\/]/,
  /\.zip[\\/]node_modules[\\/]/,
  /[\\/]__virtual__[\\/]/,
  /[\\/]store[\\/]v\d+[\\/]links[\\/]/,
];

/** Returns whether the package lies in a node_modules outside of the project. */
function isInstalledGlobally({ file, cwd }: InstallFacts): boolean {
  const at = file.indexOf(`${sep}node_modules${sep}`);
  if (at === -1 || ELSEWHERE.some((path) => path.test(file))) return false;
  const home = file.slice(0, at);
  return cwd !== home && !cwd.startsWith(`${home}${sep}`);
}

const globalProgram = (file: string): Install['program'] =>
  (['pnpm', 'yarn', 'bun'] as const).find((name) => new RegExp(`[\\\\/]\\.?${name}[\\\\/]`).test(file)) ??
  'npm';

const LOCKS = [
  ['package-lock.json', 'npm'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
] as const;

/** Returns the project's package manager by the nearest lock file, else the one that started this process, else npm. */
function programOf({ cwd, userAgent }: InstallFacts): Install['program'] {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const lock = LOCKS.find(([name]) => existsSync(join(folder, name)));
    if (lock !== undefined) return lock[1];
    if (dirname(folder) === folder) break;
  }
  return (['pnpm', 'yarn', 'bun'] as const).find((name) => userAgent.startsWith(`${name}/`)) ?? 'npm';
}
