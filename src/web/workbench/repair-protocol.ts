// Messages of the room Repair, between the page and its worker.
import type { Calibration } from '../../calibrate/calibrate.js';
import type { Ranking } from '../../calibrate/select/ranking.js';
import type { DoubtEvent, RunChoice, StepEvent, SwapChoice, WorkerAnswer } from './protocol.js';

/** Settings of a repair and of a ranking. */
export interface RepairChoice extends Pick<RunChoice, 'input' | 'dims' | 'shapes'> {
  readonly swap: SwapChoice;
  /** Whether each site’s β follows from its inputs; otherwise all sites have the β of the swap. */
  readonly sharpen: boolean;
  /** Whether gradient steps follow the least squares, as long as they help. */
  readonly steps: boolean;
}

/** A repaired model. */
export interface RepairedModel {
  /** File name for the download: `model.mish.onnx`. */
  readonly name: string;
  readonly blob: Blob;
  readonly report: Calibration;
}

/** Events of a repair: its progress, and a doubt about the samples. */
export type RepairEvent = StepEvent | DoubtEvent;

/** Events of a ranking: those of a repair, and the ranking after each site. */
export type RankEvent = RepairEvent | { readonly kind: 'ranking'; readonly ranking: Ranking };

/** Functions of the worker for the room Repair. After a stop, the problem is `aborted`. */
export interface RepairBench {
  /** Swaps the chosen sites of the open model, and repairs its weights. */
  calibrate(
    choice: RepairChoice,
    onEvent: (event: RepairEvent) => void,
  ): Promise<WorkerAnswer<RepairedModel>>;
  /** Swaps one site at a time, and lists the sites from harmless to harmful. `before` is an earlier ranking to go on from. */
  rank(
    choice: RepairChoice,
    before: Ranking | null,
    onEvent: (event: RankEvent) => void,
  ): Promise<WorkerAnswer<Ranking>>;
  /** Renders the report of a repair as the HTML page that the command line writes. */
  calibrationHtml(report: Calibration, model: string): Promise<WorkerAnswer<string>>;
  /** Renders a ranking as the HTML page that the command line writes. */
  rankingHtml(ranking: Ranking): Promise<WorkerAnswer<string>>;
}
