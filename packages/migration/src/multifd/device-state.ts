import type { Capabilities } from '../capabilities.ts';
import { StreamError } from '../errors.ts';
import type { StateSection } from '../host.ts';
import type { MigrationParameters } from '../parameters.ts';
import type { StateTaker } from './receiver.ts';

/** Whether channels carry device state: not where they are compressed, nor where they are files (QEMU, since 10.0). */
export function sendsDeviceState(
  capabilities: Capabilities,
  parameters: Pick<MigrationParameters, 'multifd-compression'>,
): boolean {
  return capabilities.has('multifd') && !capabilities.has('mapped-ram') && parameters['multifd-compression'] === 'none';
}

/** Hands packets to their devices. */
export function stateTaker(sections: readonly StateSection[]): StateTaker {
  return async ({ idstr, instanceId }, state) => {
    const place = { section: idstr, instance: instanceId };
    const section = sections.find(
      (one) => one.idstr === idstr && (one.instanceId === instanceId || one.aliasId === instanceId),
    );
    if (section?.live?.loadStateBuffer === undefined)
      throw new StreamError('a packet of state comes for a device that takes none', place);
    try {
      section.live.loadStateBuffer(section.state, state);
    } catch (error) {
      throw StreamError.at(error, place);
    }
  };
}
