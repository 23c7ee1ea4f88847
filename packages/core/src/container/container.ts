import 'reflect-metadata';
import { type Bind, Container } from 'inversify';
import { ConfigError } from '../errors.ts';
import type { Injected, Service } from './service.ts';

/**
 * A scope of services: process, machine or device. A scope sees its own services and everything of its parents,
 * and nothing of its siblings. The scopes end in reverse order; `dispose` runs what was registered with `onDispose`.
 */
export class Scope {
  readonly #container: Container;
  readonly #disposers: (() => void)[] = [];
  /** What the scope is, for messages: `process`, `machine m0`, `device t0`. */
  readonly label: string;

  constructor(label: string, parent?: Scope) {
    this.label = label;
    this.#container = parent === undefined ? new Container() : new Container({ parent: parent.#container });
  }

  /** Provides `value` under `id` in this scope and below. */
  provide<T>(id: Service<T>, value: T): void {
    this.#container.bind<T>(id).toConstantValue(value);
  }

  /** Provides a service that is made on first use and then kept. */
  provideLazy<T>(id: Service<T>, factory: () => T): void {
    this.#container.bind<T>(id).toResolvedValue(factory).inSingletonScope();
  }

  /** Runs a plugin's `bind` callback on this scope's container. */
  bindWith(callback: (bind: Bind) => void): void {
    callback(this.#container.bind.bind(this.#container));
  }

  /** True when this scope or a parent provides `id`. */
  has(id: Service<unknown>): boolean {
    return this.#container.isBound(id);
  }

  /**
   * The service behind `id`.
   *
   * @throws ConfigError `STERNA_ERR_SERVICE_MISSING` when nobody provides it.
   */
  get<T>(id: Service<T>): T {
    try {
      return this.#container.get<T>(id);
    } catch (cause) {
      throw new ConfigError(
        'STERNA_ERR_SERVICE_MISSING',
        `${this.label} needs service ${typeof id === 'function' ? id.name : String(id)}, which nothing provides here`,
        { cause },
      );
    }
  }

  /** The service behind `id`, or undefined. */
  find<T>(id: Service<T>): T | undefined {
    return this.has(id) ? this.get(id) : undefined;
  }

  /** Every service bound to `id` here and in the parents. */
  getAll<T>(id: Service<T>): readonly T[] {
    return this.has(id) ? this.#container.getAll<T>(id, { chained: true }) : [];
  }

  /** Resolves a tuple of identifiers, in order. */
  resolve<I extends readonly Service<unknown>[]>(ids: I): Injected<I> {
    return ids.map((id) => this.get(id)) as unknown as Injected<I>;
  }

  /** Registers `callback` to run when the scope ends, last registered first. */
  onDispose(callback: () => void): void {
    this.#disposers.push(callback);
  }

  /** Ends the scope. */
  dispose(): void {
    while (this.#disposers.length > 0) this.#disposers.pop()!();
    this.#container.unbindAll();
  }
}
