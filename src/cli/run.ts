import { Command } from 'commander';
import { VERSION } from '../base/version.js';
import { searchProject } from '../providers/node/packages.js';
import { applyConfig } from './config/apply-config.js';
import { EXIT, exitCode, reportError } from './io/exit.js';
import { projectFolder } from './io/project.js';
import { refuseIdleOptions } from './options/idle-options.js';
import { limitParallelism } from './options/parallelism.js';
import { renewProgress } from './text/progress.js';
import { MAX_HELP_WIDTH, reflow } from './text/reflow.js';
import { renewWords } from './text/say.js';
import { finishOutput, print, printError, renewOutput } from './text/stdout.js';
import { clean } from './text/text.js';

/** Loaders of the commands. A command is loaded only when it is called, or for the help. */
const COMMANDS: Readonly<Record<string, () => Promise<{ command: () => Command }>>> = {
  inspect: () => import('./commands/inspect.js'),
  swap: () => import('./commands/swap.js'),
  undo: () => import('./commands/undo.js'),
  retarget: () => import('./commands/retarget.js'),
  rank: () => import('./commands/rank.js'),
  calibrate: () => import('./commands/calibrate.js'),
  finetune: () => import('./commands/finetune.js'),
  experiment: () => import('./commands/experiment.js'),
  validate: () => import('./commands/validate.js'),
  report: () => import('./commands/report.js'),
  ui: () => import('./commands/ui.js'),
  doctor: () => import('./commands/doctor.js'),
  completion: () => import('./commands/completion.js'),
};

const EXAMPLES = `
Examples:
  $ onnx-mish swap model.onnx                      write model.mish.onnx
  $ onnx-mish swap model.onnx --target cpu         the form that is fast on CPUs
  $ onnx-mish swap "zoo/**/*.onnx" --out-dir out   many models, folders and all
  $ onnx-mish validate model.onnx model.mish.onnx  how far apart, and how fast
  $ onnx-mish undo model.mish.onnx                 the original, byte for byte
  $ onnx-mish help swap                            the options of a command

The output - is standard output; messages and JSON then go to standard error.

Exit codes: 0 done; 1 a threshold was not met; 2 bad usage or bad input; 3 a provider or a package is missing; 130 stopped by
a signal.`;

async function parse(given: readonly string[]): Promise<void> {
  const argv = withoutHelpCommand(given);
  const program = new Command('onnx-mish')
    .description('Replace ReLU and LeakyReLU in trained ONNX models with Mish, and measure the effect.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .hook('preAction', async (_, called) => {
      await applyConfig(called);
      refuseIdleOptions(called);
      limitParallelism(called);
    })
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(add --help for the options)');
  const chosen = Object.hasOwn(COMMANDS, argv[2] ?? '') ? COMMANDS[argv[2] ?? ''] : undefined;
  const version = argv[2] === '-V' || argv[2] === '--version';
  const isAlone = chosen !== undefined && argv[2] !== 'completion'; // completion describes all commands
  for (const load of isAlone ? [chosen] : version ? [] : Object.values(COMMANDS)) {
    const { command } = await load();
    program.addCommand(prepare(command()));
  }
  prepare(program);
  if (argv.length <= 2) program.help({ error: true });
  await program.parseAsync(argv);
}

/** Returns the arguments with `help swap` as `swap --help`, and `help` as `--help`. */
function withoutHelpCommand(argv: readonly string[]): readonly string[] {
  if (argv[2] !== 'help') return argv;
  const [node = '', main = '', , command] = argv;
  if (command === undefined || command === 'help' || command.startsWith('-')) return [node, main, '--help'];
  // Commander would print the help of all commands for an unknown one.
  return [node, main, command, ...(Object.hasOwn(COMMANDS, command) ? ['--help'] : [])];
}

const helpWidth = () => Math.min(process.stdout.columns || MAX_HELP_WIDTH, MAX_HELP_WIDTH);

/** Makes commander throw errors instead of ending the process, so that `exitCode` decides on all exit codes. */
function prepare(command: Command): Command {
  return (
    command
      .helpOption('-h, --help', 'print this help')
      .exitOverride()
      // Commander prints arguments, and a shell's `*` can make any file name an argument.
      .configureOutput({
        writeOut: (text) => print(reflow(text)),
        writeErr: printError,
        outputError: (text, write) => write(text.split('\n').map(clean).join('\n')),
        getOutHelpWidth: helpWidth,
        getErrHelpWidth: helpWidth,
      })
      .showHelpAfterError('(add --help for the options)')
  );
}

/**
 * Runs the command of these arguments, and sets `process.exitCode`. Never throws. `isDirect`: text goes to the descriptors of the
 * process, not to its streams, which tests replace.
 */
export function run(argv: readonly string[], isDirect = false): Promise<void> {
  renewOutput(isDirect);
  renewWords();
  searchProject(projectFolder);
  renewProgress();
  return parse(argv)
    .catch((error: unknown) => {
      if (exitCode(error) !== EXIT.done) throw error; // commander throws after printing help
    })
    .then(finishOutput)
    .catch((error: unknown) => {
      reportError(error, argv);
      process.exitCode = exitCode(error);
      // After an interrupt, do not wait for a browser that is still starting; it is ended at exit.
      if (process.exitCode === EXIT.interrupted) process.exit();
    });
}
