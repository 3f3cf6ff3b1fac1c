import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { progress, renewProgress, steps } from '../../../src/cli/text/progress.js';
import { beQuiet, renewWords } from '../../../src/cli/text/say.js';
import { renewOutput } from '../../../src/cli/text/stdout.js';

let written: string[] = [];
const isTTY = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');
const onTerminal = (value: boolean) =>
  Object.defineProperty(process.stderr, 'isTTY', { value, configurable: true });

beforeEach(() => {
  written = [];
  // Other files of this process may have run a command that was quiet.
  renewWords();
  renewOutput(false);
  renewProgress();
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  if (isTTY === undefined) Reflect.deleteProperty(process.stderr, 'isTTY');
  else Object.defineProperty(process.stderr, 'isTTY', isTTY);
});

test('piped progress prints at most one line every 10 seconds, whatever the number of steps and bars', () => {
  onTerminal(false);
  for (let done = 0; done < 1000; done++) {
    const bar = done % 2 === 0 ? steps() : undefined;
    bar?.update(`step ${done}`);
    const percent = progress('writing');
    percent.update(done, 1000);
    vi.advanceTimersByTime(50);
    percent.end();
    bar?.end();
  }
  expect(written.length).toBe(4); // of 50 seconds, the first 10 are silent
  for (const line of written) expect(line).toMatch(/^(step \d+ …|writing \d+ %)\n$/);
});

test('a long step is named after 10 seconds, and once', () => {
  onTerminal(false);
  const bar = steps();
  bar.update('solving');
  vi.advanceTimersByTime(9_900);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(60_000);
  expect(written).toEqual(['solving …\n']);
  bar.update('checking');
  expect(written).toEqual(['solving …\n', 'checking …\n']);
  bar.end();
  vi.advanceTimersByTime(60_000);
  expect(written).toHaveLength(2);
});

test('a short command prints no line', () => {
  onTerminal(false);
  const bar = steps();
  for (const step of ['a', 'b', 'c']) bar.update(step);
  vi.advanceTimersByTime(9_000);
  bar.end();
  expect(written).toEqual([]);
});

test('a line is no wider than the terminal, where its rest could not be rewritten', () => {
  onTerminal(true);
  const columns = process.stderr.columns;
  process.stderr.columns = 20;
  try {
    steps().update('1 of 9: a/long/path/of/a/model.onnx');
  } finally {
    process.stderr.columns = columns;
  }
  expect(written).toEqual(['\r\u001b[K1 of 9: a…el.onnx …']);
});

test('--quiet has no progress', () => {
  beQuiet();
  for (const isTerminal of [true, false]) {
    onTerminal(isTerminal);
    for (const bar of [steps(), progress('writing')]) {
      bar.update('a' as never, 1);
      vi.advanceTimersByTime(60_000);
      bar.end();
    }
  }
  renewWords();
  expect(written).toEqual([]);
});

test('a terminal has one line that is rewritten', () => {
  onTerminal(true);
  const bar = steps();
  bar.update('a');
  bar.update('b');
  bar.end();
  expect(written).toEqual(['\r\u001b[Ka …', '\r\u001b[Kb …', '\r\u001b[K']);
});
