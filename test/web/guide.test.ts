import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { guidePages, htmlOf } from '../../bundle/guide.js';

// The guides that the workbench brings along.

const pages = new Map(guidePages(fileURLToPath(new URL('../../docs/', import.meta.url))));

describe.each([...pages.keys()])('%s', (name) => {
  const html = pages.get(name) ?? '';
  const [, main = ''] = html.split('<main>');
  const text = main.replace(/<(code|pre)[^>]*>[\s\S]*?<\/\1>/g, '').replace(/<[^>]+>/g, '');

  test('has no Markdown left', () => {
    expect(text).not.toMatch(/\*\*|\]\(|^#{1,4} |^\||`/m);
    expect(html).toMatch(/<h1 id="[^"]+">.+<\/h1>/);
  });

  test('links to pages that go along', () => {
    for (const [, target = ''] of main.matchAll(/href="([^"]+)"/g)) {
      if (/^https:/.test(target)) continue;
      expect(pages.has(`docs/${target.replace(/#.*/, '')}`), target).toBe(true);
    }
  });
});

test('text of a guide is no markup', () => {
  expect(htmlOf('a < b & `<c>` **x > y**', 'a.md')).toBe(
    '<p>a &lt; b &amp; <code>&lt;c&gt;</code> <b>x &gt; y</b></p>',
  );
  expect(htmlOf('[gone](other.md) and [there](guide/swap.md)', 'concepts.md')).toBe(
    '<p>gone and <a href="guide-swap.html">there</a></p>',
  );
});
