/** A kind of plugin that can be asked for. */
export interface PluginKind {
  /** As after `--kind`. */
  readonly name: string;
  /** One line for the list of kinds. */
  readonly summary: string;
  /** Packages that the plugin or its tests need beside core and testkit. */
  readonly packages: readonly string[];
  /** Why it cannot be made yet; the word after it, `because`, is added. */
  readonly missing?: string;
}

/** All kinds, the most frequent first. */
export const PLUGIN_KINDS: readonly PluginKind[] = [
  { name: 'device', summary: 'registers, an interrupt, a timer, state that migrates', packages: [] },
  { name: 'block-driver', summary: 'a disk format over another node', packages: [] },
  { name: 'cpu', summary: 'a processor with a board to run it on', packages: [] },
  { name: 'instrumentation', summary: 'watches what the guest executes', packages: [] },
  {
    name: 'net-backend',
    summary: 'the host side of a network card',
    packages: [],
    missing: 'Sterna has no network layer yet',
  },
];

/** Something that was asked for cannot be made; the message says what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * The kind of this name.
 *
 * @throws UsageError when there is none, or when it cannot be made yet
 */
export function kindOf(name: string): PluginKind {
  const names = PLUGIN_KINDS.filter(({ missing }) => missing === undefined).map((kind) => kind.name);
  const kind = PLUGIN_KINDS.find((candidate) => candidate.name === name);
  if (kind === undefined) throw new UsageError(`there is no kind '${name}'; kinds: ${names.join(', ')}`);
  if (kind.missing !== undefined)
    throw new UsageError(`kind '${name}' cannot be made: ${kind.missing}; kinds that can: ${names.join(', ')}`);
  return kind;
}
