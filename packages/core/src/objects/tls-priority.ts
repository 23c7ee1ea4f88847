import type { TlsVersions } from './tls-credentials.ts';

/** Names of GnuTLS's sets of algorithms that are left to the defaults here. */
const SETS = new Set(['NORMAL', 'PERFORMANCE', 'SECURE', 'SECURE128', 'SECURE192', 'SECURE256', 'PFS']);
/** Key exchanges that a kind of credentials brings along by itself. */
const IMPLIED = new Set(['+ANON-DH', '+ANON-ECDH', '+PSK', '+DHE-PSK', '+ECDHE-PSK']);
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/**
 * The versions of TLS that a GnuTLS priority string (property `priority`) leaves, e.g. `NORMAL:-VERS-TLS1.3`. Ciphers are
 * those of OpenSSL's defaults, so other parts are refused.
 *
 * @throws RangeError naming the part that means nothing here
 */
export function parseTlsPriority(text: string | undefined): TlsVersions {
  const allowed = new Set<(typeof VERSIONS)[number]>(VERSIONS);
  const [set = 'NORMAL', ...parts] = (text ?? 'NORMAL').split(':');
  if (!SETS.has(set.replace(/^@SYSTEM$|^@QEMU,SYSTEM$/, 'NORMAL')))
    throw new RangeError(`priority '${text}' does not begin with one of ${[...SETS].join(', ')}, @SYSTEM`);
  for (const part of parts) {
    const version = /^([+!-])VERS-(TLS1\.[0-3]|TLS-ALL|ALL)$/.exec(part);
    if (version !== null) {
      const named = VERSIONS.filter((one) => version[2]!.endsWith('ALL') || one === version[2]!.replace('TLS', 'TLSv'));
      for (const one of named) {
        if (version[1] === '+') allowed.add(one);
        else allowed.delete(one);
      }
    } else if (!IMPLIED.has(part) && part !== '')
      throw new RangeError(
        `part '${part}' of priority '${text}' means nothing here; there are +VERS-..., -VERS-..., and key exchanges, which follow from the credentials`,
      );
  }
  const [min, max] = [VERSIONS.find((one) => allowed.has(one)), VERSIONS.findLast((one) => allowed.has(one))];
  if (min === undefined || max === undefined) throw new RangeError(`priority '${text}' leaves no version of TLS`);
  return { min, max };
}
