import { InferenceSession } from 'onnxruntime-node';

/** The sessions of ONNX Runtime in this process. */
export interface SessionWatch {
  /** Number of sessions that were opened and not released. */
  open(): number;
  /** Number of sessions that were opened. */
  opened(): number;
  /** Number of runs so far. */
  runs(): number;
  /** Is called before each run, with the number of the run, from 1. */
  onRun: (run: number) => void;
  /** Ends the watch. */
  end(): void;
}

/** Counts the sessions that ONNX Runtime opens and releases from now on. They work as before. */
export function watchSessions(): SessionWatch {
  const { create } = InferenceSession;
  const open = new Set<InferenceSession>();
  let [opened, runs] = [0, 0];
  const watch: SessionWatch = {
    open: () => open.size,
    opened: () => opened,
    runs: () => runs,
    onRun: () => {},
    end() {
      InferenceSession.create = create;
    },
  };
  InferenceSession.create = (async (...model: Parameters<typeof create>) => {
    const session = await create.apply(InferenceSession, model);
    const { run, release } = session;
    open.add(session);
    opened++;
    session.run = ((...feeds: Parameters<typeof run>) => {
      watch.onRun(++runs);
      return run.apply(session, feeds);
    }) as typeof run;
    session.release = async () => {
      await release.call(session);
      open.delete(session);
    };
    return session;
  }) as typeof create;
  return watch;
}
