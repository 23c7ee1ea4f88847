import type { ObjectContext } from './define-object.ts';

/** A password or key: a `secret` object. */
export interface Secret {
  readonly kind: 'secret';
  readonly bytes: Uint8Array;
}

/** The secret of that id. @throws RangeError when there is none */
export function findSecret(objects: ObjectContext, id: string): Secret {
  const value = objects.find(id)?.value as Partial<Secret> | undefined;
  if (value === undefined) throw new RangeError(`no secret with id '${id}'`);
  if (value.kind !== 'secret') throw new RangeError(`object '${id}' is not a secret`);
  return value as Secret;
}
