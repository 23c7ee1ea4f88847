/**
 * Each package says what it needs: imports against `dependencies` and project references, and the files of a tarball. What
 * `tsc -b` has built is looked at as publishing would.
 */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly keywords?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '..');
const IMPORT = /(?:from|import)\s*\(?\s*'((?:@[\w-]+\/)?[\w-]+)(?:\/[\w./-]+)?'/g;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Names of the packages that TypeScript files below `folder` import. */
function imports(folder: string): Set<string> {
  const names = new Set<string>();
  for (const path of globSync(join(root, folder, '**/*.ts')))
    for (const [, name] of readFileSync(path, 'utf8').matchAll(IMPORT)) if (name !== undefined) names.add(name);
  return names;
}

function faults(folder: string, version: string, folderOf: ReadonlyMap<string, string>): string[] {
  const manifest = JSON.parse(read(`${folder}/package.json`)) as Manifest;
  const found: string[] = [];
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
  const used = imports(`${folder}/src`);
  used.delete(manifest.name);
  for (const name of used) if (!(name in declared)) found.push(`imports ${name}, which is not in dependencies`);
  for (const name of Object.keys(declared)) if (!used.has(name)) found.push(`does not import its dependency ${name}`);
  for (const name of imports(`${folder}/test`))
    if (name.startsWith('@sterna') && name !== manifest.name && !(name in declared))
      if (!(name in (manifest.devDependencies ?? {})))
        found.push(`tests import ${name}, which is not in devDependencies`);
  for (const [name, range] of Object.entries({ ...declared, ...manifest.devDependencies }))
    if (folderOf.has(name) && range !== version) found.push(`wants ${name} ${range}, the workspace is ${version}`);
  if (manifest.version !== version) found.push(`has version ${manifest.version}, lerna.json says ${version}`);

  const config = JSON.parse(read(`${folder}/tsconfig.json`)) as { references?: readonly { path: string }[] };
  const references = new Set((config.references ?? []).map(({ path }) => join(folder, path)));
  const wanted = new Set([...used].map((name) => folderOf.get(name)).filter((path) => path !== undefined));
  for (const path of wanted) if (!references.has(path)) found.push(`tsconfig.json has no reference to ${path}`);
  for (const path of references) if (!wanted.has(path)) found.push(`tsconfig.json needs no reference to ${path}`);

  for (const file of ['README.md', 'LICENSE']) if (!existsSync(join(root, folder, file))) found.push(`has no ${file}`);
  if ((manifest.keywords ?? []).length === 0) found.push('has no keywords');
  return found.map((text) => `${folder}: ${text}`);
}

async function publishingFaults(folder: string): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: join(root, folder), pack: false });
  return messages.map((message) => `${folder}: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
}

const folders = ['packages', 'plugins'].flatMap((base) =>
  readdirSync(join(root, base), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${base}/${name}`),
);
const folderOf = new Map(
  folders.map((folder) => [(JSON.parse(read(`${folder}/package.json`)) as Manifest).name, folder]),
);
const { version } = JSON.parse(read('lerna.json')) as { version: string };
const all = folders.flatMap((folder) => faults(folder, version, folderOf));
for (const folder of folders) all.push(...(await publishingFaults(folder)));
for (const text of all) console.error(text);
process.exitCode = all.length > 0 ? 1 : 0;
