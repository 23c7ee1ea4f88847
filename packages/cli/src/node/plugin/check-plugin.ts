/** Everything that can be said of a plugin before it is published. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type DeviceType } from '@sterna/core';
import { runConformance } from '@sterna/testkit';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { checkTables, TABLES_FILE } from './check-tables.ts';
import type { LoadedPlugin } from './plugin-folder.ts';

/** One finding, or that there is none. */
export interface CheckStep {
  /** `conformance led: reset is complete`, `tables`, `package` ... */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** What was found, or why it was skipped. */
  readonly message?: string;
}

/** Runs all checks. */
export async function checkLoadedPlugin(loaded: LoadedPlugin): Promise<CheckStep[]> {
  const steps: CheckStep[] = [];
  for (const type of loaded.plugin.devices) steps.push(...(await conformanceSteps(type, loaded)));
  steps.push(await tablesStep(loaded));
  steps.push(...manifestSteps(loaded), ...(await publishSteps(loaded)));
  return steps;
}

async function conformanceSteps(type: DeviceType, { options }: LoadedPlugin): Promise<CheckStep[]> {
  const { name } = type.descriptor;
  try {
    const results = await runConformance(type, options[name] ?? {});
    // A service that nobody provides here is no fault of the device.
    const missing = results.find(({ message }) => message?.includes('which nothing provides here'));
    if (missing !== undefined)
      return [{ name: `conformance ${name}`, outcome: 'skipped', message: `${missing.message}; ${GIVE_OPTIONS}` }];
    return results.map((result) => ({ ...result, name: `conformance ${name}: ${result.name}` }));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [{ name: `conformance ${name}`, outcome: 'skipped', message: `${error.message}; ${GIVE_OPTIONS}` }];
  }
}

const GIVE_OPTIONS =
  'give its options in a module that package.json names as sterna.conformance, by device name as default export';

async function tablesStep(loaded: LoadedPlugin): Promise<CheckStep> {
  const verdict = await checkTables(loaded);
  if (verdict === undefined)
    return {
      name: 'tables',
      outcome: 'skipped',
      message: `there is no ${TABLES_FILE}; write it with --record when you publish`,
    };
  const { diff, published, leastVersion, enough } = verdict;
  if (diff.devices.length === 0) return { name: 'tables', outcome: 'passed', message: `as in ${published}` };
  const changes = diff.devices.flatMap(({ device, changes }) =>
    changes.map(({ verdict: of, place, message }) => `${device}: ${of}: ${place} ${message}`),
  );
  const summary = `${diff.verdict} since ${published}, so the version is at least ${leastVersion}`;
  if (enough) return { name: 'tables', outcome: 'passed', message: [summary, ...changes].join('\n') };
  return {
    name: 'tables',
    outcome: 'failed',
    message: [`${summary}; package.json has ${loaded.manifest.version ?? 'none'}`, ...changes].join('\n'),
  };
}

/** What people and registries look for. */
function manifestSteps({ folder, manifest }: LoadedPlugin): CheckStep[] {
  if (folder === undefined) return [];
  const wants: readonly (readonly [boolean, string])[] = [
    [existsSync(join(folder, 'README.md')), 'there is no README.md'],
    [existsSync(join(folder, 'LICENSE')), 'there is no LICENSE'],
    [manifest.keywords?.includes('sterna-plugin') === true, "package.json has no keyword 'sterna-plugin'"],
    [(manifest.description ?? '') !== '', 'package.json has no description'],
    [(manifest.license ?? '') !== '', 'package.json names no licence'],
    [
      manifest.peerDependencies?.['@sterna/core'] !== undefined,
      'package.json has no peerDependency on @sterna/core: say with which versions it was tested',
    ],
  ];
  const missing = wants.filter(([present]) => !present).map(([, message]) => message);
  if (missing.length === 0) return [{ name: 'package', outcome: 'passed' }];
  return missing.map((message) => ({ name: 'package', outcome: 'failed', message }));
}

async function publishSteps({ folder }: LoadedPlugin): Promise<CheckStep[]> {
  if (folder === undefined) return [];
  if (!existsSync(join(folder, 'dist')))
    return [{ name: 'publint', outcome: 'skipped', message: 'nothing is built; run npm run prepack' }];
  const { messages, pkg } = await publint({ pkgDir: folder, pack: false });
  const faults = messages.filter(({ type }) => type !== 'suggestion');
  if (faults.length === 0) return [{ name: 'publint', outcome: 'passed' }];
  return faults.map((fault) => ({
    name: 'publint',
    outcome: fault.type === 'error' ? ('failed' as const) : ('passed' as const),
    message: formatMessage(fault, pkg, { color: false }) ?? fault.code,
  }));
}
