import type { QapiType, TypeOf } from '../schema/types.ts';

/** An event of QMP, declared: its data and what it tells. */
export interface EventDefinition<D extends object> {
  /** One sentence. */
  readonly help: string;
  readonly data: QapiType<D>;
}

/** An event with its type erased, as the table holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the table holds events of all types of data
export type AnyEvent = EventDefinition<any>;

/** Declares an event. */
export function defineEvent<D extends object>(definition: EventDefinition<D>): EventDefinition<D> {
  return definition;
}

/** Type of an event's data. */
export type EventData<E> = E extends { readonly data: infer D } ? TypeOf<D> : never;
