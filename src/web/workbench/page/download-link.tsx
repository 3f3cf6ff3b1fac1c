import { useEffect, useState } from 'preact/hooks';

/** Shows a link that saves a Blob. */
export function DownloadLink({
  id,
  name,
  blob,
}: {
  readonly id: string;
  readonly name: string;
  readonly blob: Blob;
}) {
  const [url, setUrl] = useState('');
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return (
    <a class="button" id={id} href={url} download={name}>
      Download {name}
    </a>
  );
}
