import { integer, plural } from '../base/plural.js';
import type { Drift } from '../metrics/drift.js';
import type { KernelSweep, ProviderRow, Report, Verdict } from '../validate/report-schema.js';
import {
  accuracyMeasures,
  activation,
  differenceWithInterval,
  figure,
  judgedOutput,
  mapText,
  printable,
  sqnrOf,
  verdictText,
} from './figures.js';

/** Outcome of a test case; a skipped case neither passed nor failed. */
type Outcome = 'passed' | 'failure' | 'error' | 'skipped';

/** A case of a suite, such as a model among many. */
export interface JunitCase {
  readonly name: string;
  readonly outcome: Outcome;
  /** Text that a build server shows beside the case. */
  readonly message: string;
  /** Duration in seconds, if measured. */
  readonly seconds?: number | undefined;
}

interface Suite {
  readonly name: string;
  readonly cases: readonly JunitCase[];
}

/**
 * Renders a report as JUnit XML, which build servers read. Each provider is a suite with a case for each verdict,
 * output, kernel and labelled accuracy; one more suite has the conclusion. Only what fails the report is a failure. A missing provider,
 * a finding and a kernel without figures are skipped cases.
 *
 * @example
 * import { writeFile } from 'node:fs/promises';
 * import { renderJunit } from 'onnx-mish/report';
 * import { validateFiles } from 'onnx-mish/validate';
 *
 * await writeFile('junit.xml', renderJunit(await validateFiles('model.onnx', 'model.mish.onnx')));
 */
export function renderJunit(report: Report): string {
  const safe = mapText(report, printable);
  const whole: JunitCase = {
    name: 'conclusion',
    outcome: safe.passed ? 'passed' : 'failure',
    message: [
      ...(safe.conclusion === undefined ? [] : [safe.conclusion]),
      safe.providers.some(({ status }) => status === 'ran') ? 'See the providers' : 'No provider ran',
      ...safe.notes,
    ]
      .map((text) => text.replace(/([^.?!])$/, '$1.'))
      .join(' '),
  };
  const suites = [
    ...safe.providers.map((row) => providerSuite(row, safe.verdicts)),
    { name: 'onnx-mish', cases: [whole] },
  ];
  const body = suites.map((suite) =>
    element(
      'testsuite',
      counted(suite, safe),
      suite.cases.map((one) => testCase(suite, one)),
    ),
  );
  const all = counted({
    name: `${safe.models.original.name} against ${safe.models.swapped.name}`,
    cases: suites.flatMap(({ cases }) => cases),
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', all, body)}\n`;
}

/** Renders the results of a command on many models as JUnit XML: one suite, with a case and its duration for each model. */
export function renderJunitModels(
  command: string,
  cases: readonly JunitCase[],
  { created, seconds }: { readonly created: string; readonly seconds: number },
): string {
  const suite: Suite = mapText({ name: `onnx-mish ${command}`, cases }, printable);
  const time = seconds.toFixed(3);
  const body = element(
    'testsuite',
    { ...counted(suite, { created }), time },
    suite.cases.map((one) => testCase(suite, one)),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', { ...counted(suite), time }, [body])}\n`;
}

function providerSuite(row: ProviderRow, verdicts: readonly Verdict[]): Suite {
  const { provider, status, reason, fix, drift, parity, expected, kernel, accuracy } = row;
  const message = [reason, fix].filter((part) => part !== null).join('. ');
  const outcome = ({ ran: 'passed', failed: 'error', unavailable: 'skipped' } as const)[status];
  return {
    name: provider,
    cases: [
      { name: 'runs', outcome, message },
      ...verdicts.filter((verdict) => verdict.provider === provider).map(verdictCase),
      ...drift.map((one) => outputCase('swapped against original', one, true)),
      ...(parity?.original ?? []).map((one) => outputCase('original against the CPU', one)),
      ...(parity?.swapped ?? []).map((one) => outputCase('swapped against the CPU', one)),
      ...(expected ?? []).map((one) => outputCase('original against expected', one)),
      ...kernel.map(kernelCase),
      ...(accuracy === null ? [] : [accuracyCase(accuracy)]),
    ],
  };
}

function verdictCase(verdict: Verdict): JunitCase {
  const { threshold, limit, passed, binding } = verdict;
  return {
    name: `${threshold} ${figure(limit, 4)}`,
    outcome: passed ? 'passed' : binding ? 'failure' : 'skipped',
    message: passed || binding ? verdictText(verdict) : `finding: ${verdictText(verdict)}`,
  };
}

/** Returns the case of one output. With `decides`, an output that is not comparable or not finite fails the report. */
function outputCase(what: string, drift: Drift, decides = false): JunitCase {
  const sound = drift.problem === null && drift.broken === 0;
  const figures = `SQNR ${sqnrOf(drift)}, max abs ${figure(drift.maxAbs)}, cosine ${figure(drift.cosine, 4)}`;
  return {
    name: `${what}: ${drift.output}`,
    outcome: sound ? 'passed' : decides ? 'failure' : 'skipped',
    message: drift.problem ?? figures,
  };
}

function accuracyCase({
  output,
  threshold,
  original,
  swapped,
  difference,
}: NonNullable<ProviderRow['accuracy']>): JunitCase {
  const parts = [
    `original ${sharesOf(original)}`,
    `swapped ${sharesOf(swapped)}`,
    ...(difference === undefined ? [] : [`swapped minus original ${differenceWithInterval(difference)}`]),
    `${plural(original.n, 'sample')}; intervals are 95 %`,
  ];
  return {
    name: `labelled accuracy: ${judgedOutput(output, threshold)}`,
    outcome: 'passed',
    message: parts.join('; '),
  };
}

function sharesOf(accuracy: NonNullable<ProviderRow['accuracy']>['original']): string {
  return accuracyMeasures(accuracy)
    .map(({ name, text }) => `${name} ${text}`)
    .join(', ');
}

function kernelCase(sweep: KernelSweep): JunitCase {
  const { elemType, problem, broken, maxAbs, maxAbsAt, maxUlp } = sweep;
  const worst = `max abs ${figure(maxAbs)} at ${figure(maxAbsAt)}, ${figure(maxUlp)} ulp, ${integer(broken)} not finite`;
  return {
    name: `kernel: ${activation(sweep)}, ${elemType}`,
    outcome: problem === null && broken === 0 ? 'passed' : 'skipped',
    message: problem ?? worst,
  };
}

function counted({ name, cases }: Suite, report?: Pick<Report, 'created'>): Record<string, string> {
  const count = (outcome: Outcome) => String(cases.filter((one) => one.outcome === outcome).length);
  return {
    name,
    tests: String(cases.length),
    failures: count('failure'),
    errors: count('error'),
    skipped: count('skipped'),
    ...(report === undefined ? {} : { timestamp: report.created }),
  };
}

function testCase(suite: Suite, { name, outcome, message, seconds }: JunitCase): string {
  const inner =
    outcome !== 'passed'
      ? [element(outcome, { message })]
      : message === ''
        ? []
        : [`<system-out>${escaped(message)}</system-out>`];
  const time: Record<string, string> = seconds === undefined ? {} : { time: seconds.toFixed(3) };
  return element('testcase', { classname: suite.name, name, ...time }, inner);
}

/** Returns an XML element; its children are already markup. */
function element(
  tag: string,
  attributes: Readonly<Record<string, string>>,
  children: readonly string[] = [],
): string {
  const head = Object.entries(attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  if (children.length === 0) return `<${tag}${head.join('')}/>`;
  const lines = children.flatMap((child) => child.split('\n')).map((line) => `  ${line}`);
  return `<${tag}${head.join('')}>\n${lines.join('\n')}\n</${tag}>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '');
