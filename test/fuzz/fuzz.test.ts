import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../support/folder.js';
import { isHeavy } from '../support/heavy.js';
import { BACKEND_TESTS } from '../support/models.js';
import type { Draft } from './cases.js';
import { Broken, type Case, operationOf } from './check.js';
import { bounded, failureOf, runBatch } from './fuzz.js';

if (BACKEND_TESTS === undefined) {
  console.log('fuzz: without the ONNX backend models as seeds (install Debian’s package libonnx-testdata)');
}

const run = promisify(execFile);
const CASES = isHeavy ? 20_000 : 1000;
const SEED = 6;

test(`${CASES} cases of a fixed seed give a result or one error each, in bounds`, async () => {
  const folder = await tempFolder();
  const script = fileURLToPath(new URL('run.js', import.meta.url));
  const options = {
    cases: CASES,
    seed: SEED,
    workers: 1, // the processor's time is that of the process: that of one case only with one worker
    out: folder.path,
  };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const { stdout } = await run(process.execPath, [script, ...args]).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toMatch(new RegExp(`^${CASES} cases in .*, 0 failures, seed ${SEED}$`, 'm'));
  // It gets somewhere: every reader is met, with what it takes and with what it does not.
  for (const outcome of [
    'model ok',
    'model malformed',
    'npy ok',
    'npz ok',
    'tensor ok',
    'plan ok',
    'report ok',
  ]) {
    expect(stdout).toMatch(new RegExp(`^  ${outcome} +[1-9]`, 'm'));
  }
}, 300_000);

/** Cases that failed once, as run.js keeps them; `error` says how. */
const REGRESSIONS = fileURLToPath(new URL('regressions/', import.meta.url));
const kept = existsSync(REGRESSIONS) ? readdirSync(REGRESSIONS).filter((name) => name.endsWith('.json')) : [];

describe('what failed once', () => {
  test.each(kept.length > 0 ? kept : [])('%s', async (name) => {
    const { bytes, error: _, ...about } = JSON.parse(readFileSync(`${REGRESSIONS}${name}`, 'utf8'));
    const test = { ...about, bytes: Uint8Array.from(Buffer.from(bytes, 'base64')) } as Case;
    expect(typeof (await bounded(test))).toBe('string');
  });
});

describe('the fuzzer notices', () => {
  const json = (text: string): Case => ({ target: 'plan', bytes: new TextEncoder().encode(text) });

  test('an error that is not ours, and finds the smallest case of it', async () => {
    // A plan that is no JSON: whoever parses it has to say so, and here nobody does.
    const make = ({ changes }: Draft) => json(changes.length > 2 ? `{"${'a'.repeat(50)}" oops` : '{}');
    const failure = await runBatch({ seed: 1, cases: 200, make });
    expect(failure?.error).toMatch(/^SyntaxError/);
    expect(failure?.first.bytes.length).toBeGreaterThan(50);
    expect(failure?.smallest.bytes.length).toBeLessThan(10);
  });

  test('time and memory out of proportion', async () => {
    const slow = (work: () => void): Case => ({
      target: 'plan',
      get bytes() {
        work();
        return new TextEncoder().encode('{}');
      },
    });
    // By the process's own time and by the clock, of which the fuzzer takes the less.
    const busy = () => {
      const [start, from] = [process.cpuUsage(), performance.now()];
      while (process.cpuUsage(start).user < 150_000 || performance.now() - from < 150);
    };
    expect(await failureOf(slow(busy))).toMatch(/took \d+ ms of 100/);
    // What other files of tests have left is collected before, since it would count against what a case takes.
    const kept: unknown[] = [];
    setFlagsFromString('--expose_gc');
    runInNewContext('gc')();
    expect(await failureOf(slow(() => kept.push(new Float64Array(8e6).fill(1))))).toMatch(/bytes of memory/);
    expect(new Broken('x')).toBeInstanceOf(Error);
  });
});

test('a number stands for the same operation always, and numbers for all of them', () => {
  const operations = Array.from({ length: 2000 }, (_, at) => operationOf(at * 7919));
  expect(operationOf(7919)).toEqual(operations[1]);
  expect(new Set(operations.map((operation) => operation.do))).toEqual(
    new Set(['swap', 'retarget', 'fold', 'undo', 'inspect']),
  );
});
