import type { Command } from 'commander';

/** Returns the flag of an option of a command, such as `--out-dir` for `outDir`. */
export function flagOf(command: Command, name: string): string {
  return command.options.find((option) => option.attributeName() === name)?.long ?? name;
}
