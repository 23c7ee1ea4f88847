import { isVmStateTable } from '@sterna/core';
import { diffVmState, dumpVmState, loadVmState, StreamReader } from '@sterna/migration';
import { DeviceHarness } from '../../harness/device-harness.ts';
import { MemoryChannel } from '../../snapshot/memory-channel.ts';
import { ConformanceError, type Subject } from '../options.ts';

/** Every version that the table claims to load is loaded from a recorded stream. */
export async function loadsClaimedVersions({ type, options, table }: Subject): Promise<void> {
  if (table === undefined) return;
  const { fixtures = {} } = options;
  for (let version = table.minimumVersion ?? table.version; version < table.version; version++) {
    const fixture = fixtures[version];
    if (fixture === undefined)
      throw new ConformanceError(
        `vmstate '${table.name}' claims to load version ${version}, but there is no fixture for it: record the section's bytes with the release that wrote it and give it as fixtures[${version}], or raise minimumVersion`,
      );
    await using harness = new DeviceHarness(type, options);
    harness.stop();
    const reader = new StreamReader(new MemoryChannel(fixture.bytes));
    try {
      await loadVmState(reader, table, harness.device.state, version);
    } catch (cause) {
      throw new ConformanceError(
        `the fixture of version ${version} does not load: ${cause instanceof Error ? cause.message : cause}`,
        { cause },
      );
    }
    if (await reader.hasMore())
      throw new ConformanceError(
        `the fixture of version ${version} has ${fixture.bytes.length} bytes, ${reader.offset} are read`,
      );
    for (const [field, value] of Object.entries(fixture.expect))
      if (!Object.is(harness.state[field], value))
        throw new ConformanceError(
          `loaded from version ${version}, '${field}' is ${String(harness.state[field])} instead of ${String(value)}`,
        );
  }
}

/** The table is compatible with the last published one, or says by its version that it is not. */
export async function isCompatibleWithPublished({ type, options, table }: Subject): Promise<void> {
  if (table === undefined || options.published === undefined) return;
  await using harness = new DeviceHarness(type, options);
  const { vmstate, name } = type.descriptor;
  if (!isVmStateTable(vmstate)) return;
  const now = dumpVmState(
    options.published.vmschkmachine.Name,
    new Map([[name, { table, device: harness.device.state }]]),
  );
  const published = options.published[name];
  const { verdict, devices } = diffVmState(
    { vmschkmachine: options.published.vmschkmachine, ...(published === undefined ? {} : { [name]: published }) },
    now,
  );
  if (verdict === 'safe') return;
  const changes = devices.flatMap((device) => device.changes).filter((change) => change.verdict !== 'safe');
  throw new ConformanceError(
    `vmstate '${table.name}' is not compatible with the published one (${verdict}): ${changes.map(({ place, message }) => `${place} ${message}`).join('; ')}. Raise the version, give new fields 'since', or use a subsection`,
  );
}
