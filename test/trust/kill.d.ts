export interface KillCount {
  readonly rounds: number;
  /** Runs that the signal reached before their end. */
  readonly killed: number;
  /** Rounds that left the old output, and the new one. */
  readonly old: number;
  readonly new: number;
  /** Rounds that left temporaries, before the next run. */
  readonly temporaries: number;
  /** Rounds that ended between the names of the data and of the model. */
  readonly dataOnly: number;
}

export function killRounds(options: {
  /** Runs to kill. */
  readonly rounds: number;
  /** Of the model's weights. */
  readonly bytes: number;
  /** An empty folder to work in. */
  readonly folder: string;
  readonly onRound?: (count: KillCount) => void;
}): Promise<KillCount>;
