import { deviceHook } from '../device-hook.ts';
import { StreamError } from '../errors.ts';
import { COMMAND, COMMAND_LENGTH } from '../stream/constants.ts';
import type { DestinationContext } from './context.ts';
import { ReturnPathWriter } from './return-path.ts';

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(COMMAND).map(([name, value]) => [value, name]));

/** Reads and obeys one command behind its type byte. @throws StreamError for one that is unknown or not offered here */
export async function readCommand(ctx: DestinationContext): Promise<void> {
  const { reader } = ctx;
  const at = reader.offset;
  await reader.ensure(4);
  const [command, length] = [reader.u16(), reader.u16()];
  const name = NAMES.get(command);
  if (name === undefined)
    throw new StreamError(`command ${command} of ${length} bytes is not known here`, {
      section: 'command',
      offset: at,
    });
  const expected = COMMAND_LENGTH.get(command);
  if (expected !== undefined && length !== expected) {
    throw new StreamError(`command ${name} has ${length} bytes instead of ${expected}`, {
      section: 'command',
      offset: at,
    });
  }
  await reader.ensure(length);
  switch (command) {
    case COMMAND.openReturnPath:
      return openReturnPath(ctx, at);
    case COMMAND.ping: {
      const value = reader.u32();
      // Without a return path there is nobody to answer; QEMU's destination does nothing then.
      ctx.returnPath?.pong(value);
      ctx.probe?.ping(value);
      return;
    }
    case COMMAND.switchoverStart:
      for (const section of ctx.sections)
        deviceHook(section, 'switchoverStart', () => section.live?.switchoverStart?.(section.state));
      ctx.loadThreads?.start(ctx.sections);
      return;
    default:
      throw new StreamError(`the source uses ${name}, which has not landed here yet`, {
        section: 'command',
        offset: at,
      });
  }
}

function openReturnPath(ctx: DestinationContext, at: number): void {
  const { channel } = ctx.reader;
  if (ctx.returnPath !== undefined)
    throw new StreamError('the return path is opened twice', { section: 'command', offset: at });
  if (!channel.bidirectional)
    throw new StreamError(`the source wants a return path, ${channel.name} has none`, {
      section: 'command',
      offset: at,
    });
  ctx.returnPath = new ReturnPathWriter(channel);
  const { capabilities, unapproved, wire } = ctx;
  if (wire.switchoverAckLegacy && unapproved.size === 0 && capabilities.has('switchover-ack'))
    ctx.returnPath.switchoverAck();
}

/** A device approves the switchover; the source is told of each one, or of the last one only. */
export function approveSwitchover(ctx: DestinationContext, device: object): void {
  if (!ctx.unapproved.delete(device)) return;
  if (!ctx.wire.switchoverAckLegacy || ctx.unapproved.size === 0) ctx.returnPath?.switchoverAck();
}
