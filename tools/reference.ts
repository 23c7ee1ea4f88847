/** Writes the generated pages of `docs/reference/`; with `--check` fails when one is out of date. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceType, describeProperties, ERROR_CODES, isVmStateTable, type VmState } from '@sterna/core';
import { vfioStub } from '@sterna/device-vfio-stub';
import { microvm } from '@sterna/machine-microvm';
import { qmpPage } from './qmp-page.ts';
import { migrationQmpPage } from './reference/migration-qmp.ts';

const folder = join(import.meta.dirname, '../docs/reference');

function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, { help, exit }]) => `| \`${code}\` | ${exit} | ${help} |`);
  return [
    '# Error codes',
    '',
    'Generated from `packages/core/src/errors.ts`. Exit codes: 1 guest or host, 2 usage, 3 blocked, 4 migration failed and',
    'source running, 5 ownership unknown.',
    '',
    '| code | exit | meaning |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function stateText(vmstate: VmState<object>): string {
  if (vmstate === 'stateless') return 'stateless';
  return isVmStateTable(vmstate)
    ? `section \`${vmstate.name}\`, version ${vmstate.version}`
    : `cannot be migrated: ${vmstate.reason}`;
}

function devicePart({ descriptor }: DeviceType): string[] {
  const properties = describeProperties(descriptor.properties ?? {});
  return [
    `## ${descriptor.name}`,
    '',
    `${descriptor.description}. Bus: ${descriptor.bus}. State: ${stateText(descriptor.vmstate)}.`,
    '',
    ...(properties.length > 0 ? ['```', ...properties, '```', ''] : []),
  ];
}

function machinePage(): string {
  return [
    `# Machine type ${microvm.typeName}`,
    '',
    `${microvm.description}. Generated from its descriptor and those of its devices.`,
    '',
    '```',
    ...describeProperties(microvm.properties),
    '```',
    '',
    ...[...microvm.devices].sort((a, b) => (a.descriptor.name < b.descriptor.name ? -1 : 1)).flatMap(devicePart),
  ].join('\n');
}

function devicesPage(): string {
  return [
    '# Devices for any machine',
    '',
    'Added by `-device`. Generated from their descriptors; what belongs to a machine type is on its page.',
    '',
    ...[vfioStub].flatMap(devicePart),
  ].join('\n');
}

const pages: Readonly<Record<string, string>> = {
  'devices.md': devicesPage(),
  'errors.md': errorsPage(),
  'microvm.md': machinePage(),
  'migration-qmp.md': migrationQmpPage(),
  'qmp.md': qmpPage(),
};
let stale = false;
for (const [name, text] of Object.entries(pages)) {
  const path = join(folder, name);
  if (process.argv.includes('--check')) {
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
      console.error(`docs/reference/${name} is out of date; run: node -C @sterna/source tools/reference.ts`);
      stale = true;
    }
  } else writeFileSync(path, text);
}
process.exitCode = stale ? 1 : 0;
