import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileTexts } from '../plugin-files.ts';

/** Reads the templates that come with this package. */
export function readTemplates(): FileTexts {
  const folder = fileURLToPath(new URL('../../templates', import.meta.url));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(folder.length + 1).replaceAll('\\', '/');
      return [name, readFileSync(path, 'utf8')];
    }),
  );
}

/** Version of this package, which is that of all of Sterna. */
export function ownVersion(): string {
  const text = readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
