import { type QapiType, type TypeOf, t } from '../schema/types.ts';
import type { MonitorCatalog, MonitorTarget } from '../target.ts';

/** What a command works on. */
export interface CommandContext {
  readonly target: MonitorTarget;
  /** Takes the descriptor that the client passed with the command, or before; whoever takes it closes it. */
  takeDescriptor(): number | undefined;
}

/** A QMP command: the server, the client's types, introspection and docs all come from this one declaration. */
export interface CommandDefinition<A extends object, R> {
  /** One sentence. */
  readonly help: string;
  readonly arguments: QapiType<A>;
  /** Describes the arguments where plugins add to what they may be. */
  argumentsIn?(catalog: MonitorCatalog): QapiType<unknown>;
  readonly returns: QapiType<R>;
  /** QAPI's features of it: `unstable`, `deprecated`. */
  readonly features?: readonly string[];
  /** May be executed out of band (`exec-oob`): it never waits for anything. */
  readonly allowOob?: boolean;
  run(context: CommandContext, args: A): R | Promise<R>;
}

/** A command with its types erased, as the table holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the table holds commands of all argument and result types
export type AnyCommand = CommandDefinition<any, any>;

/** Declares a command. */
export function defineCommand<A extends object, R>(definition: CommandDefinition<A, R>): CommandDefinition<A, R> {
  return definition;
}

/** Types of a command's arguments. */
export type ArgumentsOf<C> = C extends { readonly arguments: infer A } ? TypeOf<A> : never;
/** Type of a command's result. */
export type ResultOf<C> = C extends { readonly returns: infer R } ? TypeOf<R> : never;

/** The result of commands that answer nothing: `{}`. */
export type Nothing = Readonly<Record<string, never>>;
/** The value of {@link Nothing}. */
export const NOTHING: Nothing = {};
/** The type of {@link Nothing}. */
export const nothing = t.object({}) as unknown as QapiType<Nothing>;
/** The type of no arguments. */
export const noArguments = t.object({});
