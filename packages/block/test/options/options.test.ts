import { parseBlockdev, parseDrive } from '@sterna/block';
import { escapeOptionValue, parseKeyval } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('-blockdev', () => {
  it('makes objects of dots and lists of numbers', () => {
    expect(
      parseBlockdev('blkdebug,node-name=n,image.driver=file,image.filename=a,,b,inject-error.0.event=none,once=off'),
    ).toEqual({
      text: true,
      spec: {
        driver: 'blkdebug',
        'node-name': 'n',
        image: { driver: 'file', filename: 'a,b' },
        'inject-error': [{ event: 'none' }],
        once: 'off',
      },
    });
    expect(parseBlockdev(' {"driver":"raw","file":{"driver":"file"}}')).toEqual({
      text: false,
      spec: { driver: 'raw', file: { driver: 'file' } },
    });
  });

  it.each([
    ['a=1,a.b=2', /contradict/],
    ['a.b=2,a=1', /contradict/],
    ['a.0=1,a.b=1', /a list has only numbers/],
    ['a.0=1,a.2=1', /'a.1' is missing/],
    ['0=1', /a list has only numbers/],
    ['a..b=1', /no name of an option/],
    ['=1', /no name of an option/],
    ['{"a"', /no JSON/],
  ])('refuses %s', (text, message) => {
    expect(() => parseBlockdev(text)).toThrow(message);
  });

  it('reads back what is written', () => {
    const name = fc.stringMatching(/^[a-z][a-z-]{0,5}$/);
    const tree = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, fc.string(), tie('object'), tie('list')),
      list: fc.array(tie('value'), { minLength: 1, maxLength: 3 }),
      object: fc.dictionary(name, tie('value'), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
    })).object;
    const write = (value: unknown, path: string): string[] =>
      typeof value === 'string'
        ? [`${path}=${escapeOptionValue(value)}`]
        : Object.entries(value as object).flatMap(([key, inner]) => write(inner, path === '' ? key : `${path}.${key}`));
    fc.assert(
      fc.property(tree, (value) => {
        expect(parseKeyval(write(value, '').join(','), 'x', '-x')).toEqual(value);
      }),
    );
  });

  it('is never surprised', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseBlockdev(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'STERNA_ERR_OPTION_VALUE' });
        }
      }),
    );
  });
});

describe('-drive', () => {
  it('becomes a node over a file and a name', () => {
    expect(
      parseDrive(
        'file=a.img,format=raw,if=none,id=x,readonly=on,cache=unsafe,discard=unmap,aio=threads,werror=stop',
        3,
      ),
    ).toEqual({
      id: 'x',
      node: {
        driver: 'raw',
        'read-only': 'on',
        'auto-read-only': 'on',
        cache: { 'no-flush': 'on' },
        discard: 'unmap',
        file: { driver: 'file', filename: 'a.img', aio: 'threads' },
      },
      rerror: 'auto',
      werror: 'stop',
    });
    expect(parseDrive('if=none,format=raw,file=file:a:b', 3)).toMatchObject({
      id: 'drive3',
      node: { file: { filename: 'a:b' } },
    });
  });

  it.each([
    ['file=a,format=raw', 'STERNA_ERR_UNSUPPORTED', /if=virtio/],
    ['file=a,if=ide,format=raw', 'STERNA_ERR_UNSUPPORTED', /if=ide/],
    ['file=a,if=none', 'STERNA_ERR_UNSUPPORTED', /say format=raw/],
    ['file=nbd:x,if=none,format=raw', 'STERNA_ERR_UNSUPPORTED', /use -blockdev/],
    ['if=none,format=raw', 'STERNA_ERR_OPTION_VALUE', /'file=' is missing/],
    ['file=a,if=none,format=raw,snapshot=on', 'STERNA_ERR_UNSUPPORTED', /overlays/],
    ['file=a,if=none,format=raw,cache=none', 'STERNA_ERR_UNSUPPORTED', /use writeback/],
    ['file=a,if=none,format=raw,cache=fast', 'STERNA_ERR_OPTION_VALUE', /none of writeback/],
    ['file=a,if=none,format=raw,media=cdrom', 'STERNA_ERR_UNSUPPORTED', /media=cdrom/],
    ['file=a,if=none,format=raw,index=1', 'STERNA_ERR_UNSUPPORTED', /'index='/],
    ['file=a,if=none,format=raw,rerror=enospc', 'STERNA_ERR_OPTION_VALUE', /rerror=enospc/],
    ['file=a,if=none,format=raw,werror=x', 'STERNA_ERR_OPTION_VALUE', /none of report/],
    ['file=a,if=none,format=raw,bogus=1', 'STERNA_ERR_OPTION_VALUE', /no option 'bogus'/],
  ])('refuses %s by name', (text, code, message) => {
    expect(() => parseDrive(text, 0)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});
