import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { everyNth, isHeavy } from './heavy.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Checks the page against WCAG 2.2 AA in light and, at whole size, in dark, and against the widths of phones. */
export async function judge(page: Page): Promise<void> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) {
    await page.evaluate(await readFile(AXE, 'utf8'));
  }
  for (const colorScheme of everyNth(2, ['light', 'dark'] as const)) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      // What passes is not described, which is quicker.
      const { violations } = await axe.run({ runOnly: tags, resultTypes: ['violations'] });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    });
    expect(found, colorScheme).toEqual([]);
  }
  await judgeWidths(page);
}

/** Checks a state of a page that another one of the test contains or resembles: by default against widths only. */
export const judgeVariant = (page: Page): Promise<void> => (isHeavy ? judge(page) : judgeWidths(page));

/** Checks the page against the widths of phones. */
async function judgeWidths(page: Page): Promise<void> {
  for (const width of [320, 375]) {
    await page.setViewportSize({ width, height: 700 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBeLessThanOrEqual(width);
    expect(await cutCaptions(page), `captions at ${width} px`).toEqual([]);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** Returns the captions that reach beyond the box in which their table scrolls. */
function cutCaptions(page: Page): Promise<(string | null)[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('.table-box caption:not(.unseen)')]
      .filter((caption) => {
        const right = caption.closest('.table-box')?.getBoundingClientRect().right ?? 0;
        return caption.getBoundingClientRect().right > right + 1;
      })
      .map(({ textContent }) => textContent),
  );
}
