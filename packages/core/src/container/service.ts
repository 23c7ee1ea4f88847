import type { ServiceIdentifier } from 'inversify';

/**
 * Typed name of a service. An interface and a constant of this type share one name, so that
 * `inject: [IrqLine]` gives `create` a parameter of type `IrqLine`.
 */
export type Service<T> = ServiceIdentifier<T>;

/**
 * Makes the identifier of a service. Identifiers are equal across installed copies of core.
 *
 * @param name Unique name; plugins prefix theirs with the package name.
 */
export function service<T>(name: string): Service<T> {
  return Symbol.for(`@sterna/${name}`) as Service<T>;
}

/** The services behind a tuple of identifiers. */
export type Injected<I extends readonly Service<unknown>[]> = {
  readonly [K in keyof I]: I[K] extends Service<infer T> ? T : never;
};
