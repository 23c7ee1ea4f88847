import { createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { prop } from '../../device/properties.ts';
import { defineObject, type ObjectContext } from '../../objects/define-object.ts';
import { findSecret, type Secret } from '../../objects/secret.ts';

/** AES-256-CBC with PKCS#7 padding, as QEMU's secrets have it (docs/system/secrets.rst). */
const CIPHER = 'aes-256-cbc';
const KEY_BYTES = 32;
const IV_BYTES = 16;

/** A password or key, from the command line or a file, plain or encrypted with another secret. */
export const secret = defineObject({
  name: 'secret',
  description: 'Password or key, for objects that name it',
  properties: {
    data: prop.optionalString({ help: 'the secret itself; whoever sees the list of processes sees it too' }),
    file: prop.optionalString({ help: 'file that holds the secret' }),
    format: prop.enum(['raw', 'base64'], { help: 'how it is written', default: 'raw' }),
    keyid: prop.optionalString({ help: 'id of the secret that it is encrypted with (AES-256-CBC)' }),
    iv: prop.optionalString({ help: 'start value of the encryption in base64, 16 bytes' }),
  },
  create({ data, file, format, keyid, iv }, context): Secret {
    if (data !== undefined && file !== undefined) throw new RangeError("'file' and 'data' exclude each other");
    const given = data !== undefined ? Buffer.from(data) : file !== undefined ? read(file) : undefined;
    if (given === undefined) throw new RangeError("either 'file' or 'data' must be given");
    const decoded = format === 'base64' ? fromBase64(given.toString('latin1'), 'the secret') : given;
    return { kind: 'secret', bytes: keyid === undefined ? decoded : decrypt(decoded, keyid, iv, context) };
  },
});

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new RangeError(`cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}

function fromBase64(text: string, what: string): Buffer {
  const plain = text.replace(/\s/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain))
    throw new RangeError(`${what} is no base64`);
  return Buffer.from(plain, 'base64');
}

function decrypt(bytes: Buffer, keyid: string, iv: string | undefined, context: ObjectContext): Buffer {
  const key = findSecret(context, keyid).bytes;
  if (key.length !== KEY_BYTES) throw new RangeError(`the key '${keyid}' has ${key.length} bytes, not ${KEY_BYTES}`);
  if (iv === undefined) throw new RangeError("'iv' is needed to decrypt the secret");
  const start = fromBase64(iv, "'iv'");
  if (start.length !== IV_BYTES) throw new RangeError(`'iv' has ${start.length} bytes, not ${IV_BYTES}`);
  try {
    const decipher = createDecipheriv(CIPHER, key, start);
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  } catch (cause) {
    throw new RangeError(`the secret cannot be decrypted with '${keyid}': ${(cause as Error).message}`, { cause });
  }
}
