import { ascii, u8, u32, zeros } from './bytes.ts';

/** fw_cfg file with all tables but the root pointer. */
export const TABLES_FILE = 'etc/acpi/tables';
/** fw_cfg file with the root pointer. */
export const RSDP_FILE = 'etc/acpi/rsdp';
/** fw_cfg file with the script that places the other two. */
export const LOADER_FILE = 'etc/table-loader';

const COMMAND_SIZE = 128;
const NAME_SIZE = 56;
const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
/** Allocation zones: anywhere below 4 GiB, or the BIOS segment where a guest searches the RSDP. */
const ZONE_HIGH = 1;
const ZONE_FSEG = 2;

/** One step of the script that firmware runs over the blobs. */
export type LoaderCommand =
  | { readonly kind: 'allocate'; readonly file: string; readonly align: number; readonly low: boolean }
  | {
      readonly kind: 'pointer';
      readonly file: string;
      readonly offset: number;
      readonly size: 4 | 8;
      /** File whose address is added. */
      readonly target: string;
    }
  | {
      readonly kind: 'checksum';
      readonly file: string;
      readonly offset: number;
      readonly start: number;
      readonly length: number;
    };

function fileName(name: string): number[] {
  return ascii(name, NAME_SIZE, '\0');
}

function encodeCommand(command: LoaderCommand): number[] {
  switch (command.kind) {
    case 'allocate':
      return [
        ...u32(ALLOCATE),
        ...fileName(command.file),
        ...u32(command.align),
        ...u8(command.low ? ZONE_FSEG : ZONE_HIGH),
      ];
    case 'pointer':
      return [
        ...u32(ADD_POINTER),
        ...fileName(command.file),
        ...fileName(command.target),
        ...u32(command.offset),
        ...u8(command.size),
      ];
    case 'checksum':
      return [
        ...u32(ADD_CHECKSUM),
        ...fileName(command.file),
        ...u32(command.offset),
        ...u32(command.start),
        ...u32(command.length),
      ];
  }
}

/** The script in QEMU's format: commands of 128 bytes (QEMU hw/acpi/bios-linker-loader.c, v10.0). */
export function encodeLoader(commands: readonly LoaderCommand[]): Uint8Array {
  return Uint8Array.from(
    commands.flatMap((command) => {
      const bytes = encodeCommand(command);
      return [...bytes, ...zeros(COMMAND_SIZE - bytes.length)];
    }),
  );
}

/** Reads a script. @throws RangeError when it is not one. */
export function decodeLoader(script: Uint8Array): LoaderCommand[] {
  if (script.length % COMMAND_SIZE !== 0)
    throw new RangeError(`table-loader of ${script.length} bytes is not a list of commands`);
  const view = new DataView(script.buffer, script.byteOffset, script.byteLength);
  const name = (at: number) => {
    const bytes = script.slice(at, at + NAME_SIZE);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  };
  const commands: LoaderCommand[] = [];
  for (let at = 0; at < script.length; at += COMMAND_SIZE) {
    const kind = view.getUint32(at, true);
    const file = name(at + 4);
    if (kind === ALLOCATE) {
      commands.push({
        kind: 'allocate',
        file,
        align: view.getUint32(at + 60, true),
        low: script[at + 64] === ZONE_FSEG,
      });
    } else if (kind === ADD_POINTER) {
      const size = script[at + 120];
      if (size !== 4 && size !== 8) throw new RangeError(`table-loader: pointer of ${size} bytes`);
      commands.push({ kind: 'pointer', file, target: name(at + 60), offset: view.getUint32(at + 116, true), size });
    } else if (kind === ADD_CHECKSUM) {
      const [offset, start, length] = [60, 64, 68].map((field) => view.getUint32(at + field, true)) as [
        number,
        number,
        number,
      ];
      commands.push({ kind: 'checksum', file, offset, start, length });
    } else if (kind !== 0) {
      throw new RangeError(`table-loader: unknown command ${kind}`);
    }
  }
  return commands;
}
