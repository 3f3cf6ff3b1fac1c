import { Command } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { completionScript, SHELLS, type Shell } from '../text/completion-script.js';
import { say } from '../text/say.js';

export function command(): Command {
  const command = new Command('completion');
  return command
    .summary('print a script that completes commands and options in a shell')
    .description('Prints a script with which a shell completes commands, options and their values.')
    .addArgument(command.createArgument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Where each shell reads the script:
  bash  source <(onnx-mish completion bash), in ~/.bashrc
  zsh   a file called _onnx-mish in a folder of $fpath
  fish  ~/.config/fish/completions/onnx-mish.fish

Examples:
  $ onnx-mish completion bash > ~/.local/share/bash-completion/completions/onnx-mish
  $ onnx-mish completion zsh > ~/.zfunc/_onnx-mish
  $ onnx-mish completion fish > ~/.config/fish/completions/onnx-mish.fish`,
    )
    .action((shell: Shell, _: unknown, called: Command) => {
      const { parent } = called;
      if (parent === null) throw new OnnxMishError('bad-usage', 'completion is a command of onnx-mish');
      say(completionScript(shell, parent.commands).trimEnd());
    });
}
