/** The files of a new plugin, from templates that are plugins themselves: whole, compiling, with placeholder names. */
import { kindOf, type PluginKind } from './kinds.ts';
import { type PluginNames, pluginNames } from './names.ts';

/** What a new plugin shall be. */
export interface PluginOptions {
  /** A name of {@link PLUGIN_KINDS}. */
  readonly kind: string;
  /** Driver name, such as `blink-led`. */
  readonly name: string;
  /** npm name. Default: `sterna-plugin-` and the name. */
  readonly packageName?: string;
  /** One line. Default: one that says what to write there. */
  readonly description?: string;
  /** For LICENSE and package.json. */
  readonly author?: string;
  /** For LICENSE. */
  readonly year: number;
  /** Version of Sterna to depend on. */
  readonly sternaVersion: string;
}

/** Content by path, below the templates' folder or the new plugin's. */
export type FileTexts = ReadonlyMap<string, string>;

/** Versions of what a plugin is built and checked with. */
const TYPESCRIPT = '6.0.3';
const NODE_TYPES = '^24';

/**
 * The files of a new plugin, by their paths in its folder.
 *
 * @param templates - Files below the package's `templates` folder: `common/...` and one folder for each kind
 * @throws UsageError for a kind or name that cannot be
 */
export function pluginFiles(options: PluginOptions, templates: FileTexts): FileTexts {
  const kind = kindOf(options.kind);
  const names = pluginNames(options.name);
  const texts: Record<string, string> = {
    PACKAGE_NAME: packageNameOf(options),
    DESCRIPTION: descriptionOf(options),
    AUTHOR: options.author ?? `the authors of ${packageNameOf(options)}`,
    YEAR: String(options.year),
  };
  const files = new Map<string, string>([['package.json', packageJson(options, kind)]]);
  for (const folder of ['common', kind.name])
    for (const [path, text] of templates) {
      if (!path.startsWith(`${folder}/`)) continue;
      const name = path.slice(folder.length + 1).replace(/^dot-/, '.');
      files.set(renamed(name, names), filled(renamed(text, names), texts));
    }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** npm name of the plugin. */
export function packageNameOf({ packageName, name }: Pick<PluginOptions, 'packageName' | 'name'>): string {
  return packageName ?? `sterna-plugin-${name}`;
}

function descriptionOf({ description, kind }: PluginOptions): string {
  return description ?? `A ${kind.replace('-', ' ')} for Sterna: say here what it does`;
}

function renamed(text: string, { kebab, camel, pascal }: PluginNames): string {
  return text.replaceAll('my-thing', kebab).replaceAll('myThing', camel).replaceAll('MyThing', pascal);
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole);
}

function packageJson(options: PluginOptions, kind: PluginKind): string {
  const range = `^${options.sternaVersion}`;
  const sterna = (names: readonly string[]) => Object.fromEntries(names.map((name) => [`@sterna/${name}`, range]));
  const manifest = {
    name: packageNameOf(options),
    version: '0.1.0',
    description: descriptionOf(options),
    keywords: ['sterna-plugin', `sterna-${kind.name}`],
    license: 'MIT',
    ...(options.author === undefined ? {} : { author: options.author }),
    type: 'module',
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    files: ['dist', 'vmstate.json'],
    engines: { node: '>=24' },
    scripts: {
      test: 'node --test "test/**/*.test.ts"',
      types: 'tsc --noEmit',
      check: 'sterna plugin check .',
      prepack: 'tsc -p tsconfig.build.json',
    },
    peerDependencies: sterna(['core', ...kind.packages]),
    devDependencies: {
      ...sterna(['cli', 'core', 'testkit', ...kind.packages].sort()),
      '@types/node': NODE_TYPES,
      typescript: TYPESCRIPT,
    },
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
