import type { Command, Option } from 'commander';

/** Shells for which there are scripts. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A command, and what can follow it. */
interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** Values of the first argument, if they are a list. */
  readonly values: readonly string[];
}

interface CompletedOption {
  readonly long: string;
  readonly short: string | undefined;
  readonly about: string;
  readonly takesValue: boolean;
  readonly isOptional: boolean;
  /** Values of the option, if they are a list. */
  readonly values: readonly string[];
}

/** Returns the script that completes these commands in a shell. Values that are not listed are completed as files. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const all = commands.map(completed);
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](all);
}

function completed(command: Command): Completed {
  const help = { long: '--help', short: '-h', about: 'print this help', values: [] };
  return {
    name: command.name(),
    summary: command.summary(),
    options: [
      ...command.options.filter(({ hidden }) => !hidden).map(completedOption),
      { ...help, takesValue: false, isOptional: false },
    ],
    values: command.registeredArguments[0]?.argChoices ?? [],
  };
}

function completedOption({
  long,
  short,
  description,
  required,
  optional,
  argChoices,
}: Option): CompletedOption {
  return {
    long: long ?? '',
    short,
    about: description,
    takesValue: required || optional,
    isOptional: optional,
    values: argChoices ?? [],
  };
}

const flagsOf = ({ long, short }: CompletedOption) => [long, ...(short === undefined ? [] : [short])];

/** Quotes text for bash and zsh. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function bashScript(commands: readonly Completed[]): string {
  const names = [...commands.map(({ name }) => name), 'help'].join(' ');
  const cases = commands.map(({ name, options, values }) => {
    const listed = options.filter((option) => option.values.length > 0);
    const files = options.filter((option) => option.takesValue && option.values.length === 0);
    return [
      `    ${name})`,
      ...(listed.length + files.length === 0 ? [] : ['      case "$previous" in']),
      ...listed.map(
        (option) =>
          `        ${flagsOf(option).join('|')}) COMPREPLY=($(compgen -W ${quoted(option.values.join(' '))} -- "$word")); return ;;`,
      ),
      ...(files.length === 0 ? [] : [`        ${files.flatMap(flagsOf).join('|')}) return ;;`]),
      ...(listed.length + files.length === 0 ? [] : ['      esac']),
      `      words=${quoted(options.flatMap(flagsOf).join(' '))}`,
      ...(values.length === 0 ? [] : [`      values=${quoted(values.join(' '))}`]),
      '      ;;',
    ].join('\n');
  });
  return `# bash completion of onnx-mish
_onnx_mish() {
  local word="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words='' values=''
  COMPREPLY=()
  # bash takes --option=value for three words.
  if [ "$word" = = ]; then
    word=''
  elif [ "$previous" = = ]; then
    previous="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "\${COMP_WORDS[1]}" = help ]; }; then
    COMPREPLY=($(compgen -W ${quoted(`${names} --help --version`)} -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [ -n "$values" ] && [ "\${word#-}" = "$word" ]; then
    COMPREPLY=($(compgen -W "$values" -- "$word"))
  elif [ "\${word#-}" != "$word" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
# Without a result, bash completes files, and quotes their names.
complete -o default -F _onnx_mish onnx-mish
`;
}

/** Escapes a description inside of a specification of _arguments. */
const zshText = (text: string) => text.replace(/[\\[\]:]/g, (character) => `\\${character}`);

function zshScript(commands: readonly Completed[]): string {
  const value = ({ values }: CompletedOption) => (values.length === 0 ? '_files' : `(${values.join(' ')})`);
  const specification = (option: CompletedOption) =>
    flagsOf(option).map((flag) => {
      const action = option.takesValue ? `${option.isOptional ? '::' : ':'}value:${value(option)}` : '';
      // With =, zsh completes the value in the same word and in the next one.
      const join = option.takesValue && flag === option.long ? '=' : '';
      return quoted(`*${flag}${join}[${zshText(option.about)}]${action}`);
    });
  const cases = commands.map(({ name, options, values }) => {
    const rest = values.length === 0 ? quoted('*:file:_files') : quoted(`1:value:(${values.join(' ')})`);
    return `    ${name}) _arguments ${[...options.flatMap(specification), rest].join(' \\\n      ')} ;;`;
  });
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${zshText(summary)}`)}`);
  return `#compdef onnx-mish
_onnx_mish() {
  local -a commands
  commands=(
${described.join('\n')}
    'help:print the help of a command'
  )
  if (( CURRENT == 2 )) || { (( CURRENT == 3 )) && [[ $words[2] == help ]]; }; then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
compdef _onnx_mish onnx-mish 2>/dev/null
_onnx_mish "$@"
`;
}

/** Quotes text for fish, in which only a backslash and ' are special inside of quotes. */
const fishQuoted = (text: string) => `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`;

function fishScript(commands: readonly Completed[]): string {
  const line = (condition: string, ...parts: readonly string[]) =>
    ['complete -c onnx-mish', `-n ${fishQuoted(condition)}`, ...parts].join(' ');
  return [
    '# fish completion of onnx-mish',
    ...[...commands, { name: 'help', summary: 'print the help of a command' }].map(({ name, summary }) =>
      line('__fish_use_subcommand', '-f', `-a ${name}`, `-d ${fishQuoted(summary)}`),
    ),
    line(
      '__fish_seen_subcommand_from help',
      '-f',
      `-a ${fishQuoted(commands.map(({ name }) => name).join(' '))}`,
    ),
    ...commands.flatMap(({ name, options, values }) => [
      ...(values.length === 0
        ? []
        : [line(`__fish_seen_subcommand_from ${name}`, '-f', `-a ${fishQuoted(values.join(' '))}`)]),
      ...options.map(({ long, short, about, takesValue, isOptional, values }) =>
        line(
          `__fish_seen_subcommand_from ${name}`,
          `-l ${long.replace(/^--/, '')}`,
          ...(short === undefined ? [] : [`-s ${short.replace(/^-/, '')}`]),
          ...(takesValue && !isOptional ? (values.length === 0 ? ['-r'] : ['-x']) : []),
          ...(values.length === 0 ? [] : [`-a ${fishQuoted(values.join(' '))}`]),
          `-d ${fishQuoted(about)}`,
        ),
      ),
    ]),
  ].join('\n');
}
