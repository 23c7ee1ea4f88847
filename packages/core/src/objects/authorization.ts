import { prop } from '../device/properties.ts';
import { defineObject, type ObjectContext } from './define-object.ts';

/** Decides who may come in: an `authz-...` object. */
export interface Authorization {
  readonly kind: 'authorization';
  /** @param identity - For TLS the distinguished name of the client's certificate. */
  allows(identity: string): boolean;
}

/** One line of an access list. */
export interface AuthorizationRule {
  readonly match: string;
  readonly policy: 'allow' | 'deny';
  /** `exact`, or `glob` with `*`, `?` and `[...]`. */
  readonly format: 'exact' | 'glob';
}

/** The first rule that matches decides, else the policy. */
export function listAuthorization(rules: readonly AuthorizationRule[], policy: 'allow' | 'deny'): Authorization {
  const compiled = rules.map((rule) => ({ matches: matcher(rule), policy: rule.policy }));
  return {
    kind: 'authorization',
    allows: (identity) => (compiled.find(({ matches }) => matches(identity))?.policy ?? policy) === 'allow',
  };
}

function matcher({ match, format }: AuthorizationRule): (identity: string) => boolean {
  if (format === 'exact') return (identity) => identity === match;
  const pattern = globPattern(match);
  return (identity) => pattern.test(identity);
}

/** POSIX glob, as fnmatch(3) without flags: `*` and `?` match any character. */
export function globPattern(glob: string): RegExp {
  const parts = glob.match(/\[[!^]?\]?[^\]]*\]|\\.|./gs) ?? [];
  const source = parts.map((part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    if (part.length > 1 && part.startsWith('['))
      return part
        .replace(/^\[!/, '[^')
        .replaceAll('\\', '\\\\')
        .replace(/^(\[\^?)\]/, '$1\\]');
    return (part.startsWith('\\') && part.length > 1 ? part.slice(1) : part).replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 's');
}

/** Rows of a rule. */
export const RULE_PROPERTIES = {
  match: prop.string({ help: 'whom it is about' }),
  policy: prop.enum(['allow', 'deny'], { help: 'what becomes of them' }),
  format: prop.enum(['exact', 'glob'], { help: 'how match is compared', default: 'exact' }),
} as const;

/** An access list of rules. */
export const authzList = defineObject({
  name: 'authz-list',
  description: 'Access list: the first rule that matches decides, else the policy',
  properties: {
    policy: prop.enum(['allow', 'deny'], { help: 'what becomes of those no rule is about', default: 'deny' }),
    rules: prop.structs(RULE_PROPERTIES, { help: 'the rules, in order' }),
  },
  create: ({ policy, rules }) => listAuthorization(rules, policy),
});

/** An access list of one. */
export const authzSimple = defineObject({
  name: 'authz-simple',
  description: 'Access list of one identity',
  properties: { identity: prop.string({ help: 'who may come in' }) },
  create: ({ identity }): Authorization => ({ kind: 'authorization', allows: (given) => given === identity }),
});

/**
 * The access list of that id.
 *
 * @throws RangeError when there is none
 */
export function findAuthorization(objects: ObjectContext, id: string): Authorization {
  const value = objects.find(id)?.value as Partial<Authorization> | undefined;
  if (value === undefined) throw new RangeError(`no authorization object with id '${id}'`);
  if (value.kind !== 'authorization') throw new RangeError(`object '${id}' is not an authorization object`);
  return value as Authorization;
}
