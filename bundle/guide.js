// The guides that the workbench brings along: pages of docs/ as HTML. It reads the Markdown that docs/ uses, and no more.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Files of docs/ that go along. */
const GUIDES = [
  ...['is-mish-better.md', 'what-it-costs.md', 'concepts.md', 'how-calibrate-works.md', 'finetune.md'],
  ...['guide/swap.md', 'guide/validate.md', 'guide/accuracy.md', 'guide/finetune.md', 'guide/workbench.md'],
];

/** Returns the name of a guide's page; `docs/finetune.md` and `docs/guide/finetune.md` differ. */
const pageName = (/** @type {string} */ guide) =>
  `docs/${guide.startsWith('guide/') ? 'guide-' : ''}${basename(guide, '.md')}.html`;

const escaped = (/** @type {string} */ text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Returns the address of a link; undefined for a page that does not go along. */
function address(/** @type {string} */ link, /** @type {string} */ from) {
  if (/^https?:/.test(link)) return link;
  const [path = '', anchor] = link.split('#');
  if (path === '') return undefined;
  const target = join(from, '..', path).replaceAll('\\', '/');
  if (!GUIDES.includes(target)) return undefined;
  return `${basename(pageName(target))}${anchor === undefined ? '' : `#${anchor}`}`;
}

/** Returns a line of Markdown as HTML: code, links, bold and italic text; pictures become their descriptions. */
function inline(/** @type {string} */ text, /** @type {string} */ from) {
  return text
    .split(/(`[^`]+`)/)
    .map((part) => {
      if (/^`[^`]+`$/.test(part)) return `<code>${escaped(part.slice(1, -1))}</code>`;
      return escaped(part)
        .replace(/!\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/\*\*([^*]+)\*\*/g, '<b>$1</b>')
        .replace(/(^|[\s(])\*([^*\s][^*]*)\*/g, '$1<i>$2</i>');
    })
    .join('')
    .replace(/\[([^\]]*)\]\(([^)\s]*)\)/g, (_, label, link) => {
      const to = address(link, from);
      return to === undefined ? label : `<a href="${to}">${label}</a>`;
    });
}

const slug = (/** @type {string} */ title) =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-');

/** Returns Markdown as HTML. `from` is its path in docs/. */
export function htmlOf(/** @type {string} */ markdown, /** @type {string} */ from) {
  const lines = markdown.split('\n');
  const html = [];
  const take = (/** @type {(line: string) => boolean} */ belongs) => {
    const taken = [];
    while (lines.length > 0 && belongs(lines[0] ?? '')) taken.push(lines.shift() ?? '');
    return taken;
  };
  const starts = (/** @type {string} */ line) => /^(#{1,4} |```|\||- |\d+\. |\s*$)/.test(line);
  while (lines.length > 0) {
    const line = lines[0] ?? '';
    if (/^\s*$/.test(line)) lines.shift();
    else if (line.startsWith('```')) {
      lines.shift();
      html.push(
        `<pre tabindex="0"><code>${escaped(take((one) => !one.startsWith('```')).join('\n'))}</code></pre>`,
      );
      lines.shift();
    } else if (/^#{1,4} /.test(line)) {
      const [marks = '#', ...words] = (lines.shift() ?? '').split(' ');
      const title = words.join(' ');
      html.push(`<h${marks.length} id="${slug(title)}">${inline(title, from)}</h${marks.length}>`);
    } else if (line.startsWith('|'))
      html.push(
        tableOf(
          take((one) => one.startsWith('|')),
          from,
        ),
      );
    else if (/^(- |\d+\. )/.test(line)) {
      const tag = line.startsWith('- ') ? 'ul' : 'ol';
      html.push(
        `<${tag}>${itemsOf(
          take((one) => /^(- |\d+\. |\s+\S)/.test(one)),
          from,
        )}</${tag}>`,
      );
    } else {
      const first = lines.shift() ?? '';
      html.push(`<p>${inline([first, ...take((one) => !starts(one))].join(' '), from)}</p>`);
    }
  }
  return html.join('\n');
}

function tableOf(/** @type {string[]} */ lines, /** @type {string} */ from) {
  const cells = (/** @type {string} */ line) =>
    line
      .replace(/^\||\|\s*$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => inline(cell.trim().replaceAll('\\|', '|'), from));
  const [head = '', , ...rows] = lines;
  const row = (/** @type {string[]} */ all, /** @type {string} */ tag) =>
    `<tr>${all.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  const body = rows.map((line) => row(cells(line), 'td')).join('\n');
  return `<div class="table" tabindex="0"><table><thead>${row(cells(head), 'th')}</thead><tbody>\n${body}\n</tbody></table></div>`;
}

function itemsOf(/** @type {string[]} */ lines, /** @type {string} */ from) {
  const items = [];
  for (const line of lines) {
    const item = /^(?:- |\d+\. )(.*)/.exec(line)?.[1];
    if (item !== undefined) items.push(item);
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  return items.map((item) => `<li>${inline(item, from)}</li>`).join('\n');
}

const STYLE = `:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --link: #0b6e5f; }
@media (prefers-color-scheme: dark) { :root { --page: #111416; --ink: #e8eaec; --link: #5ed8bf; } }
html { color: var(--ink); background: var(--page); } a { color: var(--link); }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem 4rem; font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.2; } pre, .table { overflow-x: auto; } pre { padding: 0.8rem; border: 1px solid; border-radius: 0.5rem; }
table { border-collapse: collapse; overflow-wrap: normal; } th, td { padding: 0.3rem 0.7rem; text-align: start; border-bottom: 1px solid; }`;

/** Returns the pages: names and HTML. */
export function guidePages(/** @type {string} */ folder) {
  return GUIDES.map((guide) => {
    const markdown = readFileSync(join(folder, guide), 'utf8');
    const title = /^# (.*)/m.exec(markdown)?.[1] ?? guide;
    const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<title>${escaped(title)} – onnx-mish</title>
</head>
<body>
<nav aria-label="Workbench"><a href="../index.html">The workbench</a></nav>
<main>
${htmlOf(markdown, guide)}
</main>
</body>
</html>
`;
    return /** @type {const} */ ([pageName(guide), html]);
  });
}
