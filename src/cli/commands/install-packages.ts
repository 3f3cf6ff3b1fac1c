// `doctor --install`: shows the command that installs optional packages, asks, and runs it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { aborted } from '../../base/abort.js';
import { messageOf, OnnxMishError } from '../../base/error.js';
import { type Install, installCommand, installLine } from '../../providers/node/package-manager.js';
import { isInstalled, isUnpacked, PEERS, type Peer, specs } from '../../providers/node/packages.js';
import { say, sayJson } from '../text/say.js';
import { clean } from '../text/text.js';

/** Returns the optional packages that are not installed. */
export const missingPeers = (): Peer[] => PEERS.filter((name) => !isInstalled(name));

/** Flags of `doctor --install`. */
export interface InstallFlags {
  /** Names of packages; true for all that are missing. */
  readonly install: true | readonly string[];
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/**
 * Installs optional packages after asking. Throws `bad-usage` for an unknown package, and without a terminal unless
 * `yes` is set; `missing-package` if the installation fails, and `aborted` for Ctrl-C.
 */
export async function installPackages({ install, yes = false, json = false }: InstallFlags): Promise<void> {
  const wanted = install === true ? missingPeers() : install.map(peerOf);
  if (wanted.length === 0) {
    if (json) sayJson({ packages: [], command: null, installed: false });
    else say('All optional packages are installed.');
    return;
  }
  const line = installLine(specs(wanted));
  if (!json) say(line);
  const isAgreed = yes || (await ask(line));
  if (isAgreed) await runInstall(installCommand(specs(wanted)), wanted, json);
  if (json) sayJson({ packages: wanted, command: line, installed: isAgreed });
  else say(isAgreed ? `Installed: ${wanted.join(', ')}.` : 'Nothing was installed.');
}

function peerOf(name: string): Peer {
  const peer = PEERS.find((known) => known === name);
  if (peer !== undefined) return peer;
  throw new OnnxMishError('bad-usage', `${clean(name)} is not an optional package of onnx-mish`, {
    fix: `Name one or several of ${PEERS.join(', ')}, with commas between`,
  });
}

/** Asks on standard error whether to run a command. Throws `bad-usage` without a terminal. */
async function ask(line: string): Promise<boolean> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new OnnxMishError(
      'bad-usage',
      'standard input is not a terminal, so that nobody can confirm the installation',
      {
        fix: `Add --yes, or run \`${line}\``,
      },
    );
  }
  return askOn(process.stdin, process.stderr);
}

/** Asks on a terminal. The end of the input is a no. Throws `aborted` for Ctrl-C. */
export async function askOn(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<boolean> {
  const terminal = createInterface({ input, output, terminal: true });
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      terminal.once('SIGINT', () => reject(aborted()));
      terminal.once('close', () => resolve('')); // some versions of Node leave the question open
      terminal.question('Run this command? [y/N] ').then(resolve, () => resolve(''));
    });
    return /^\s*y(es)?\s*$/i.test(answer);
  } finally {
    terminal.close();
  }
}

async function runInstall(
  { program, args, env }: Install,
  wanted: readonly Peer[],
  json: boolean,
): Promise<void> {
  const failed = (what: string, cause?: unknown) =>
    new OnnxMishError('missing-package', what, { fix: `See the messages of ${program}`, cause });
  const child = spawn(program, args, {
    stdio: ['inherit', json ? process.stderr : 'inherit', 'inherit'],
    env: { ...process.env, ...env },
    shell: process.platform === 'win32', // npm is a script there
  });
  const [code] = await once(child, 'close').catch((cause: unknown) => {
    throw failed(`${program} cannot be started: ${messageOf(cause)}`, cause);
  });
  if (code !== 0) throw failed(`${program} failed with exit code ${code}`);
  const absent = wanted.filter((name) => !isUnpacked(name));
  if (absent.length > 0) throw failed(`onnx-mish does not find ${absent.join(', ')} after the installation`);
}
