import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '../../errors.ts';
import { checkPlugin } from '../../plugin/check-plugin.ts';
import type { Plugin } from '../../plugin/define-plugin.ts';

/**
 * Loads a plugin: a file (`./my-device.ts`, run by Node as it is) or an installed package, looked for from `cwd`.
 * A file outside any project may import `@sterna/...` too: it gets the packages that run the machine.
 *
 * @throws ConfigError `STERNA_ERR_PLUGIN_LOAD` or `STERNA_ERR_PLUGIN_VERSION`, naming the plugin and the reason.
 */
export async function loadPlugin(spec: string, cwd: string = process.cwd()): Promise<Plugin> {
  const exports = await importFrom(spec, cwd);
  return checkPlugin(exports['default'], spec);
}

/**
 * Imports a module the way {@link loadPlugin} does.
 *
 * @throws ConfigError `STERNA_ERR_PLUGIN_LOAD`, naming the module and the reason.
 */
export async function importFrom(spec: string, cwd: string): Promise<Readonly<Record<string, unknown>>> {
  const path = filePath(spec, cwd);
  const entry = path === undefined ? `sterna-plugin:${spec}` : pathToFileURL(path).href;
  const base = pathToFileURL(join(resolve(cwd), 'plugin.js')).href;
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      // Node resolves names from the importing file; for this one that file would have stood in `cwd`.
      if (specifier === entry && path === undefined) return nextResolve(spec, { ...context, parentURL: base });
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!specifier.startsWith('@sterna/') || !isNotFound(error)) throw error;
        return nextResolve(specifier, { ...context, parentURL: import.meta.url });
      }
    },
  });
  try {
    return (await import(entry)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new ConfigError('STERNA_ERR_PLUGIN_LOAD', `plugin ${spec}: ${reason(cause, spec, cwd, path)}`, { cause });
  } finally {
    hooks.deregister();
  }
}

/** Path of a plugin that is meant as a file: written as a path, or there under that name. */
function filePath(spec: string, cwd: string): string | undefined {
  if (isAbsolute(spec)) return spec;
  const path = resolve(cwd, spec);
  return /^\.\.?\//.test(spec) || (/\.[cm]?[jt]s$/.test(spec) && existsSync(path)) ? path : undefined;
}

function isNotFound(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_MODULE_NOT_FOUND';
}

function reason(cause: unknown, spec: string, cwd: string, path: string | undefined): string {
  if (path !== undefined && !existsSync(path)) return `there is no file ${path}`;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (path === undefined && isNotFound(cause) && message.includes(`'${spec}'`)) {
    return `no such package is installed for ${cwd}, and there is no file of that name; try 'npm install ${spec}'`;
  }
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING')
    return 'it is TypeScript below node_modules; a package must ship JavaScript';
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
