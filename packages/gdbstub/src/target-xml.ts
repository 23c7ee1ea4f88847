import type { DebugFeature, DebugType, DebugView } from '@sterna/core';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => ENTITIES[char]!);

/** An element whose attributes are escaped; undefined ones are left out. */
function element(name: string, attributes: Readonly<Record<string, string | number | undefined>>, inside = ''): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(String(value))}"`)
    .join('');
  return inside === '' ? `<${name}${list}/>` : `<${name}${list}>${inside}</${name}>`;
}

/** gdb's target description of a view (gdb manual, "Target Descriptions"). Registers are numbered in their order. */
export function targetXml({ architecture, features }: DebugView): string {
  let number = 0;
  const parts = features.map((feature) => {
    const xml = featureXml(feature, number);
    number += feature.registers.length;
    return xml;
  });
  return [
    '<?xml version="1.0"?>',
    '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
    element('target', { version: '1.0' }, `${element('architecture', {}, escaped(architecture))}${parts.join('')}`),
  ].join('');
}

function featureXml({ name, types = [], registers }: DebugFeature, first: number): string {
  const rows = registers.map((register, i) =>
    element('reg', {
      name: register.name,
      bitsize: register.bits,
      type: register.type,
      regnum: first + i,
      group: register.group,
    }),
  );
  return element('feature', { name }, types.map(typeXml).join('') + rows.join(''));
}

function typeXml(type: DebugType): string {
  switch (type.kind) {
    case 'vector':
      return element('vector', { id: type.id, type: type.element, count: type.count });
    case 'union':
      return element('union', { id: type.id }, type.fields.map((field) => element('field', { ...field })).join(''));
    case 'flags': {
      const fields = type.fields.map((field) => element('field', { ...field }));
      return element('flags', { id: type.id, size: type.size }, fields.join(''));
    }
  }
}
