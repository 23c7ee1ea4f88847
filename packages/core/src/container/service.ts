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

/**
 * Makes the identifier of a bus. A plugin that brings a bus along provides it under this identifier, and machines then take
 * devices whose `bus` has this name; they get it by injecting the same identifier.
 *
 * @param name The bus's name in `BusAddresses`.
 */
export function busService<T>(name: string): Service<T> {
  return service(`bus/${name}`);
}

/** The services behind a tuple of identifiers. */
export type Injected<I extends readonly Service<unknown>[]> = {
  readonly [K in keyof I]: I[K] extends Service<infer T> ? T : never;
};
