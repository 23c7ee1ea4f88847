/**
 * Writes `docs/api-report/`: what each package exports, as text, so that a changed API shows in a review; with `--check` fails
 * when a page is out of date. Reads the declarations that `tsc -b` has emitted.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'docs/api-report');

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly types?: string }>>;
}

const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));

/** Entry points of a package: what is imported, and its declarations. */
function entries(path: string): { readonly name: string; readonly file: string }[] {
  const { name, exports } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest;
  return Object.entries(exports).flatMap(([subpath, target]) =>
    typeof target === 'object' && target.types !== undefined
      ? [{ name: name + subpath.slice(1), file: join(path, target.types) }]
      : [],
  );
}

const files = packages.flatMap(entries).map(({ file }) => file);
const missing = files.find((file) => !existsSync(file));
if (missing !== undefined) {
  console.error(`${missing} is not there; run: npx tsc -b`);
  process.exit(1);
}
const program = ts.createProgram(files, {
  target: ts.ScriptTarget.ES2024,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  noEmit: true,
  skipLibCheck: true,
});
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: true });

/** Declarations of an exported name, without comments; those of other packages by their origin only. */
function textOf(name: string, symbol: ts.Symbol, own: string): string {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const declarations = target.declarations ?? [];
  const outside = declarations.find((declaration) => !declaration.getSourceFile().fileName.startsWith(own));
  if (declarations.length === 0 || outside !== undefined) return `export { ${name} }; // of another package`;
  return declarations
    .map((declaration) => {
      // `const x: T` is declared inside a statement, and the statement is what people read.
      const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
      return printer.printNode(ts.EmitHint.Unspecified, statement, declaration.getSourceFile());
    })
    .sort()
    .join('\n');
}

function report(path: string): string {
  const lines: string[] = [];
  for (const { name, file } of entries(path)) {
    const source = program.getSourceFile(file);
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
    const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
    lines.push(`# ${name}`, '', 'Generated from the emitted declarations by `tools/api-report.ts`.', '', '```ts');
    for (const symbol of [...symbols].sort((a, b) => (a.name < b.name ? -1 : 1)))
      lines.push(textOf(symbol.name, symbol, path), '');
    if (lines.at(-1) === '') lines.pop();
    lines.push('```', '');
  }
  return lines.join('\n');
}

const check = process.argv.includes('--check');
if (!check) mkdirSync(folder, { recursive: true });
let stale = 0;
for (const path of packages) {
  const page = join(folder, `${path.split('/').at(-1)}.api.md`);
  const text = report(path);
  if (!check) writeFileSync(page, text);
  else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
    stale++;
    console.error(`${page.slice(root.length + 1)} is out of date; run: node -C @sterna/source tools/api-report.ts`);
  }
}
process.exitCode = stale > 0 ? 1 : 0;
