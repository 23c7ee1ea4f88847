import { closeSync, existsSync, openSync } from 'node:fs';
import { isDescriptorSet, PassedDescriptors } from '@sterna/core/node';
import { afterEach, expect, it } from 'vitest';

const store = new PassedDescriptors();
afterEach(() => store[Symbol.dispose]());
const fresh = (flags: 'r' | 'w' = 'w') => openSync('/dev/null', flags);
const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`);

it('keeps descriptors by name until they are taken, replaced or closed', () => {
  const [a, b] = [fresh(), fresh()];
  store.add('a', a);
  store.add('a', b);
  expect(isOpen(a)).toBe(false);
  expect(store.take('a')).toBe(b);
  expect(store.take('a')).toBeUndefined();
  store.add('b', b);
  store.close('b');
  expect(isOpen(b)).toBe(false);
  expect(() => store.close('b')).toThrow("File descriptor named 'b' not found");
  const c = fresh();
  expect(() => store.add('1a', c)).toThrow('not starting with a digit');
  expect(isOpen(c)).toBe(false);
});

it('keeps sets, gives new ones the lowest number and removes one or all', () => {
  const [a, b, c, d] = [fresh(), fresh(), fresh('r'), fresh()];
  expect(store.addToSet(a)).toBe(0);
  expect(store.addToSet(b, 7, 'note')).toBe(7);
  expect(store.addToSet(c, 7)).toBe(7);
  expect(store.addToSet(d)).toBe(1);
  expect(store.sets.find(({ id }) => id === 7)?.fds).toEqual([{ fd: b, opaque: 'note' }, { fd: c }]);
  store.removeFromSet(7, b);
  expect([isOpen(b), isOpen(c)]).toEqual([false, true]);
  expect(() => store.removeFromSet(7, 9999)).toThrow("'fdset-id:7, fd:9999' not found");
  store.removeFromSet(0);
  expect(store.sets.map(({ id }) => id)).toEqual([7, 1]);
  expect(() => store.removeFromSet(0)).toThrow("'fdset-id:0' not found");
  const bad = fresh();
  expect(() => store.addToSet(bad, -1)).toThrow('non-negative');
  expect(isOpen(bad)).toBe(false);
});

it('copies the descriptor of a set that was opened the right way', () => {
  const writer = fresh('w');
  store.addToSet(writer, 3);
  expect(isDescriptorSet('/dev/fdset/3')).toBe(true);
  const copy = store.copyFromSet('/dev/fdset/3', 'write');
  expect(copy).not.toBe(writer);
  closeSync(copy);
  expect(() => store.copyFromSet('/dev/fdset/3', 'read')).toThrow('opened to read');
  expect(() => store.copyFromSet('/dev/fdset/4', 'read')).toThrow('Failed to find fdset /dev/fdset/4');
});
