// The documentation's site: `npm run docs` in the root builds it into docs/.vitepress/dist.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const sidebar = fileURLToPath(new URL('../api/typedoc-sidebar.json', import.meta.url));
const api = existsSync(sidebar) ? JSON.parse(readFileSync(sidebar, 'utf8')) : [];

export default defineConfig({
  title: 'onnx-mish',
  description: 'Mish in place of ReLU in trained ONNX models, and what that does to accuracy and latency.',
  base: process.env.DOCS_BASE ?? '/',
  cleanUrls: true,
  srcExclude: ['node_modules/**'],
  themeConfig: {
    search: { provider: 'local' },
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Guides', link: '/guide/swap' },
      { text: 'API', link: '/api/' },
    ],
    sidebar: [
      { text: 'Start', link: '/start' },
      {
        text: 'Guides',
        items: [
          { text: 'Swap activations', link: '/guide/swap' },
          { text: 'Validate the result', link: '/guide/validate' },
          { text: 'Keep the accuracy', link: '/guide/accuracy' },
          { text: 'Train it', link: '/guide/finetune' },
          { text: 'The paper’s experiment', link: '/guide/experiment' },
          { text: 'Use it as a library', link: '/guide/library' },
          { text: 'Train a model', link: '/guide/train' },
          { text: 'In a page', link: '/guide/page' },
          { text: 'In a build', link: '/guide/build' },
          { text: 'Many models, and CI', link: '/guide/pipelines' },
          { text: 'The workbench', link: '/guide/workbench' },
        ],
      },
      {
        text: 'Background',
        items: [
          { text: 'Concepts', link: '/concepts' },
          { text: 'What each provider gets wrong', link: '/providers' },
          { text: 'How calibrate works', link: '/how-calibrate-works' },
          { text: 'What calibrate keeps', link: '/calibrate-figures' },
          { text: 'What training gives', link: '/finetune' },
          { text: 'What the experiment gave', link: '/experiment' },
          { text: 'The paper’s smaller claims', link: '/experiment-claims' },
          { text: 'Loss landscapes', link: '/landscape' },
          { text: 'Is Mish better for my model?', link: '/is-mish-better' },
          { text: 'What it costs', link: '/what-it-costs' },
          { text: 'A Mish kernel for ONNX Runtime', link: '/mish-in-onnxruntime' },
          { text: 'Benchmarks', link: '/benchmarks' },
          { text: 'Trust', link: '/trust' },
          { text: 'Dependencies', link: '/dependencies' },
        ],
      },
      { text: 'API', link: '/api/', collapsed: true, items: api },
    ],
  },
});
