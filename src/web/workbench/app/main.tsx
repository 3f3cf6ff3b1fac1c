import { render } from 'preact';
import { settleLanguage } from '../page/locale.js';

settleLanguage();
const { App } = await import('./app.js');
render(<App />, document.body);
