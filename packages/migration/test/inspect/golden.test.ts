import { describe, expect, test } from 'vitest';
import { encodeStream, parseStream } from '../../src/inspect/records.ts';
import { vmDescriptionJson } from '../../src/vmstate/describe.ts';
import { goldenMissing, goldenNames, goldenStream } from '../support/golden.ts';

describe.skipIf(goldenMissing !== undefined)(
  `golden streams${goldenMissing === undefined ? '' : ` (${goldenMissing})`}`,
  () => {
    test.for(goldenNames)('%s is decoded and encoded to the same bytes', (name) => {
      const stream = goldenStream(name);
      const encoded = encodeStream(parseStream(stream));
      expect(encoded.length).toBe(stream.length);
      expect(Buffer.compare(encoded, stream)).toBe(0);
    });

    test.for(goldenNames)('%s has a description that we write byte for byte the same', (name) => {
      const record = parseStream(goldenStream(name)).find((candidate) => candidate.type === 'vmdescription');
      const text = new TextDecoder().decode(record!.json);
      expect(vmDescriptionJson(JSON.parse(text))).toBe(text);
    });
  },
);
