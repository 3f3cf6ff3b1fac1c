import { useState } from 'preact/hooks';
import { download } from './files.js';
import { WorkButton } from './work-bar.js';

/** Shows the buttons that save a report as JSON and as HTML. */
export function ReportButtons(props: {
  /** File name without an extension. */
  readonly name: string;
  readonly report: unknown;
  /** Renders the report as HTML; undefined after a problem. */
  readonly html: () => Promise<string | undefined>;
}) {
  const { name, report, html } = props;
  const [drawing, setDrawing] = useState(false);
  return (
    <>
      <button
        type="button"
        onClick={() => {
          const json = `${JSON.stringify(report, null, 2)}\n`;
          download(`${name}.json`, new Blob([json], { type: 'application/json' }));
        }}
      >
        Report as JSON
      </button>
      <WorkButton
        off={drawing}
        onPress={async () => {
          setDrawing(true);
          const text = await html();
          setDrawing(false);
          if (text !== undefined) download(`${name}.html`, new Blob([text], { type: 'text/html' }));
        }}
      >
        {drawing ? 'Drawing …' : 'Report as HTML'}
      </WorkButton>
    </>
  );
}
