// Files and folders that are dropped on the page.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { NamedFile } from '../protocol.js';

/** Takes files that are dropped anywhere on the page, while `active`. Returns whether files are over the page. */
export function useDroppedFiles(active: boolean, take: (files: NamedFile[]) => unknown): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    if (!active) return;
    const drag = async (event: DragEvent) => {
      const { dataTransfer } = event;
      if (dataTransfer === null || !dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      setOver(event.type === 'dragover');
      if (event.type === 'drop') latest.current(await filesOf(dataTransfer));
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    document.addEventListener('dragover', drag);
    document.addEventListener('drop', drag);
    document.addEventListener('dragleave', leave);
    return () => {
      document.removeEventListener('dragover', drag);
      document.removeEventListener('drop', drag);
      document.removeEventListener('dragleave', leave);
    };
  }, [active]);
  return over;
}

/** Returns the dropped files, and all files in dropped folders with their paths. */
async function filesOf({ items }: DataTransfer): Promise<NamedFile[]> {
  // The list of items is empty after the first await.
  const found = [...items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const files: NamedFile[] = [];
  for (const { entry, file } of found) {
    if (entry?.isDirectory === true) files.push(...(await filesIn(entry as FileSystemDirectoryEntry)));
    else if (file !== null) files.push({ name: file.name, blob: file });
  }
  return files;
}

async function filesIn(folder: FileSystemDirectoryEntry): Promise<NamedFile[]> {
  const files: NamedFile[] = [];
  const left: FileSystemEntry[] = [folder];
  for (let entry = left.pop(); entry !== undefined; entry = left.pop()) {
    if (entry.isDirectory) left.push(...(await entriesOf(entry as FileSystemDirectoryEntry)));
    else files.push(await fileOf(entry as FileSystemFileEntry));
  }
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    // A reader gives up to 100 entries at once, and none after the last.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}

async function fileOf(entry: FileSystemFileEntry): Promise<NamedFile> {
  const blob = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
  return { name: entry.fullPath.replace(/^\//, ''), blob };
}
