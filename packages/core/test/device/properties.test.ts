import { ConfigError, describeProperties, parseSize, prop, resolveProperties } from '@sterna/core';
import { describe, expect, it } from 'vitest';

const table = {
  watermark: prop.u32({ help: 'Words' }),
  size: prop.size({ default: 1024, help: 'Bytes' }),
  acpi: prop.onOffAuto({ default: 'auto', help: 'ACPI' }),
  mirror: prop.optionalString({ help: 'File' }),
  mode: prop.enum(['fast', 'slow'], { default: 'fast', help: 'Mode' }),
};

describe('properties', () => {
  it('applies defaults and parses text', () => {
    expect(resolveProperties(table, { watermark: '0x10', size: '2M', acpi: 'off' }, 'dev', { text: true })).toEqual({
      watermark: 16,
      size: 2 ** 21,
      acpi: 'off',
      mirror: undefined,
      mode: 'fast',
    });
  });

  it('suggests the name that was probably meant', () => {
    expect(() => resolveProperties(table, { watermrk: 1 }, '-device trace-log')).toThrow(
      /no property 'watermrk'; did you mean 'watermark'\?/,
    );
  });

  it('names the property, the value and the kind when a value does not fit', () => {
    expect(() => resolveProperties(table, { watermark: 2 ** 32 }, 'dev')).toThrow(
      /dev\.watermark: 4294967296 does not fit uint32/,
    );
    expect(() => resolveProperties(table, { watermark: '1' }, 'dev')).toThrow(/"1" is not an integer/);
    expect(() => resolveProperties(table, { watermark: 1, mode: 'medium' }, 'dev')).toThrow(
      /'medium' is not one of fast, slow/,
    );
  });

  it('reports a missing required property with its help', () => {
    let error: unknown;
    try {
      resolveProperties(table, {}, 'dev');
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).code).toBe('STERNA_ERR_PROPERTY_MISSING');
    expect((error as ConfigError).exitCode).toBe(2);
  });

  it.each([
    ['512', 512],
    ['4k', 4096],
    ['1.5G', 1.5 * 2 ** 30],
    ['0x10', 16],
    ['3T', 3 * 2 ** 40],
  ])('reads the size %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', '-1', '1.3', '5X', '1e3', 'K', '0x20M'])('refuses the size %j', (text) => {
    expect(() => parseSize(text)).toThrow(RangeError);
  });

  it('prints one help line per property in order', () => {
    expect(describeProperties({ size: table.size, acpi: table.acpi })).toEqual([
      '  acpi=<OnOffAuto>               - ACPI (default: auto)',
      '  size=<size>                    - Bytes (default: 1024)',
    ]);
  });
});
