/** Why our schema differs from QEMU's: differences as `compareSchemas` tells them, and the reason. */
export const REASONS: readonly (readonly [difference: RegExp, reason: string])[] = [
  [/^object-add\.qom-type: values only there/, 'types of objects that do not exist here are not offered'],
  [
    /^object-add\.qom-type: values only here: authz-list-file$/,
    "QEMU's schema spells this type differently from its own `-object`",
  ],
  [
    /^migrate\.channels\[\]\.addr.*(rdma|vsock|keep-alive|mptcp)/,
    "Node's sockets have neither these kinds nor these options",
  ],
  [/^migrate\.detach: only here/, 'QEMU 7.2 takes it; it never did anything'],
  [/\.x-(deadline|on-timeout): only here/, 'our own, see the guide to migration policies'],
  [/values only here: zero-blocks/, 'a capability of older QEMUs, refused with the reason'],
  [/^blockdev-add\.driver: values only there/, 'drivers that do not exist here are not offered'],
  [/^blockdev-add\.discard: values only here: off, on/, 'the words of `-drive` are taken too'],
  [/^blockdev-add\(.*: (only there|values only there)/, 'options of drivers that do not exist here are refused'],
];

/** The reason of a difference; undefined when there is none. */
export function explain(difference: string): string | undefined {
  return REASONS.find(([pattern]) => pattern.test(difference))?.[1];
}
