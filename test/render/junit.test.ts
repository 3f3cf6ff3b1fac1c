import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { validateFiles } from '../../src/node/validate-files.js';
import { renderJunit } from '../../src/render/junit.js';
import { REAL_MODELS } from '../support/models.js';
import { hostileReport, richReport } from '../support/reports.js';

const real = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, {
  runs: 1,
  latency: { minPairs: 5, minSeconds: 0 },
  thresholds: { maxAbs: 0 },
});
const rich = richReport(real);

describe('JUnit XML', () => {
  const xml = renderJunit(rich);

  test('has a suite for each provider, and one for the report', () => {
    const suites = [...xml.matchAll(/^ {2}<testsuite name="([^"]*)" tests="(\d+)"/gm)];
    expect(suites.map(([, name]) => name)).toEqual(['cpu', 'webgl', 'webgpu', 'wasm', 'onnx-mish']);
    const total = suites.reduce((sum, [, , tests]) => sum + Number(tests), 0);
    expect(xml).toContain(`<testsuites name="`);
    expect(xml).toMatch(new RegExp(`^<testsuites .* tests="${total}" `, 'm'));
    expect(xml.match(/<testcase /g)).toHaveLength(total);
  });

  test('distinguishes failures, errors and skipped cases', () => {
    expect(xml).toMatch(/name="minSqnr 20">\s*<failure message="minSqnr: not measured, limit ≥ 20"\/>/);
    expect(xml).toMatch(/<skipped message="finding: maxOriginalParity: 0.7 &gt; 0.001"\/>/);
    expect(xml).toMatch(
      /classname="webgpu" name="runs">\s*<skipped message="this browser has no WebGPU adapter\. Start/,
    );
    expect(xml).toMatch(/classname="wasm" name="runs">\s*<error message="the page ran out of memory"\/>/);
    expect(xml).toMatch(/name="conclusion">\s*<failure /);
    expect(xml).toMatch(/^<testsuites .* failures="2" errors="1" skipped="2">$/m);
  });

  test('has no failure when the report passed', () => {
    const passing = renderJunit(real);
    expect(real.passed).toBe(true);
    expect(passing).toContain(real.conclusion?.slice(0, 40));
    expect(passing).not.toMatch(/<(failure|error|skipped)/);
    expect(xml).toContain('original top-1 91.2 % (88.4 to 93.4), top-5 99.0 % (97.7 to 99.6)');
    const empty = renderJunit({ ...real, providers: [], verdicts: [], passed: false });
    expect(empty).toMatch(/<failure message="[^"]*No provider ran\."\/>/);
  });

  test.each([[[]], [['a note']], [['a note.', 'Is it one?', 'another']]])(
    'has the conclusion and the notes as whole sentences: %j',
    (notes) => {
      const text = renderJunit({ ...real, conclusion: 'It is 1.5 % slower.', notes });
      const ends = notes.map((note) => ` ${note}${/[.?]$/.test(note) ? '' : '.'}`);
      expect(text).toContain(
        `<system-out>It is 1.5 % slower. See the providers.${ends.join('')}</system-out>`,
      );
    },
  );
});

describe('read by an XML parser', () => {
  let browser: Browser;
  beforeAll(async () => {
    const executablePath = await chromium.executablePath();
    browser = await playwright.launch({ executablePath, args: ['--no-sandbox'], headless: true });
  });
  afterAll(() => browser?.close());

  test.each([
    ['a rich report', rich],
    ['a hostile report', hostileReport(rich)],
  ])('%s is well-formed, and names are text', async (_, report) => {
    const page = await browser.newPage();
    const found = await page.evaluate((xml) => {
      const parsed = new DOMParser().parseFromString(xml, 'text/xml');
      const elements = [...parsed.querySelectorAll('*')].map((element) => element.localName);
      return {
        names: [...new Set(elements)].sort(),
        error: parsed.querySelector('parsererror')?.textContent,
      };
    }, renderJunit(report));
    expect(found).toEqual({
      names: ['error', 'failure', 'skipped', 'system-out', 'testcase', 'testsuite', 'testsuites'],
      error: undefined,
    });
    await page.close();
  });
});

test('characters that XML forbids are escaped', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what XML forbids
  const forbidden = /[\u0000-\u0008\u000b-\u001f\ufffe\uffff]|\p{Surrogate}/u;
  expect(renderJunit(hostileReport(rich))).not.toMatch(forbidden);
});
