import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';

// Says what each file of tests takes, on Linux: `CPU_TIMES=/tmp/times.txt python3 test/bench/cpu.py npx vitest run
// --no-file-parallelism` writes a line for each file, with the seconds of processor time of Vitest, its workers, and all
// processes that they start, the system's part of them, that of the tests' process, and the number of assertions; before it,
// a line for each of its tests that takes long, with the short ones before it, and the first with what the file does before
// its tests.

const HERTZ = 100;
const LONG_SECONDS = 0.3;
/** Milliseconds that a test lasts before it is worth to read /proc, which takes some of them itself. */
const LONG_MS = 150;

/** Ticks of processor time of a process, and of its children that have ended. */
interface Ticks {
  readonly user: number;
  readonly system: number;
}

interface Process extends Ticks {
  readonly parent: number;
}

function allProcesses(): Map<number, Process> {
  const processes = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
      processes.set(Number(name), {
        parent: fields[1] ?? 0,
        user: user + childrenUser,
        system: system + childrenSystem,
      });
    } catch {} // ended meanwhile
  }
  return processes;
}

/** Processor time of a process and all below it. */
function ticksBelow(root: number): Ticks {
  const processes = allProcesses();
  const isBelow = (id: number): boolean => {
    for (let at: number | undefined = id; at; at = processes.get(at)?.parent) if (at === root) return true;
    return false;
  };
  let [user, system] = [0, 0];
  for (const [id, process] of processes) {
    if (!isBelow(id)) continue;
    user += process.user;
    system += process.system;
  }
  return { user, system };
}

const root = Number(process.env.CPU_ROOT ?? process.ppid);
const file = relative(process.cwd(), expect.getState().testPath ?? '?');

/** Processor time so far, and calls of `expect`. */
interface Used extends Ticks {
  readonly here: NodeJS.CpuUsage;
  readonly assertions: number;
}

let assertions = 0;
const used = (): Used => ({ ...ticksBelow(root), here: process.cpuUsage(), assertions });

/** Appends a line, unless the time is below a limit. */
function write(from: Used, what: string, leastSeconds = 0): Used {
  const now = used();
  const [user, system] = [(now.user - from.user) / HERTZ, (now.system - from.system) / HERTZ];
  const here = (now.here.user + now.here.system - from.here.user - from.here.system) / 1e6;
  const line = `${(user + system).toFixed(2)} ${system.toFixed(2)} ${here.toFixed(2)} ${now.assertions - from.assertions} ${what}\n`;
  if (user + system > leastSeconds) appendFileSync(process.env.CPU_TIMES ?? '', line);
  return now;
}

const before = used();
let [beforeTest, begun] = [before, 0];
beforeEach(() => {
  begun = performance.now();
});
afterEach(({ task }) => {
  assertions += expect.getState().assertionCalls;
  if (performance.now() - begun < LONG_MS) return;
  beforeTest = write(beforeTest, `${file}: ${task.name}`, LONG_SECONDS);
});
afterAll(() => {
  write(before, file);
});
