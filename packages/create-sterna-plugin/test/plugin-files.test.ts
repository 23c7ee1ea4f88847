import { kindOf, nameFromPath, pluginFiles, pluginNames } from 'create-sterna-plugin';
import { readTemplates } from 'create-sterna-plugin/node';
import { describe, expect, it } from 'vitest';

const options = { kind: 'device', name: 'blink-led', year: 2026, sternaVersion: '1.2.3' };

describe('names', () => {
  it('spells a name for files, constants and classes', () => {
    expect(pluginNames('blink-led2')).toEqual({ kebab: 'blink-led2', camel: 'blinkLed2', pascal: 'BlinkLed2' });
  });

  it.each(['Blink', 'blink_led', '-a', 'a-', 'a--b', '1a', '', 'a'.repeat(61)])('refuses %j', (name) => {
    expect(() => pluginNames(name)).toThrow(/is no name|longer than/);
  });

  it('refuses a name that would not compile', () => {
    expect(() => pluginNames('switch')).toThrow(/a word of the language/);
  });

  it('takes the name of a folder, without scope and prefix', () => {
    expect(nameFromPath('/work/@me/sterna-plugin-blink-led/')).toBe('blink-led');
  });
});

describe('kinds', () => {
  it('refuses by name what cannot be made yet', () => {
    expect(() => kindOf('net-backend')).toThrow("kind 'net-backend' cannot be made: Sterna has no network layer yet");
  });

  it('lists what there is for an unknown one', () => {
    expect(() => kindOf('divice')).toThrow(
      /there is no kind 'divice'; kinds: device, block-driver, cpu, instrumentation/,
    );
  });
});

describe('files', () => {
  it.each(['device', 'block-driver', 'cpu', 'instrumentation'])(
    'of a %s have its names, and no placeholder is left',
    (kind) => {
      const files = pluginFiles({ ...options, kind, description: 'Blinks', author: 'A. Tern' }, readTemplates());
      expect([...files.keys()]).toEqual(
        expect.arrayContaining([
          '.github/workflows/test.yml',
          '.gitignore',
          'CHANGELOG.md',
          'LICENSE',
          'README.md',
          'package.json',
          'src/blink-led.ts',
          'src/index.ts',
          'test/blink-led.test.ts',
          'tsconfig.json',
        ]),
      );
      const all = [...files.values()].join('\n');
      expect(all).not.toMatch(/my-?thing/i);
      // The workflow's own expressions have a dollar sign.
      expect(all).not.toMatch(/(?<!\$)\{\{/);
      expect(files.get('LICENSE')).toContain('Copyright (c) 2026 A. Tern');
    },
  );

  it('depend on this version of Sterna', () => {
    const { peerDependencies, devDependencies, keywords } = JSON.parse(
      pluginFiles(options, readTemplates()).get('package.json')!,
    );
    expect(peerDependencies).toEqual({ '@sterna/core': '^1.2.3' });
    expect(devDependencies).toMatchObject({ '@sterna/testkit': '^1.2.3', '@sterna/cli': '^1.2.3' });
    expect(keywords).toContain('sterna-plugin');
  });
});
