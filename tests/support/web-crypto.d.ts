/** Types of the web that `@peculiar/x509` takes for granted, by Node's names. */
declare global {
  type Algorithm = import('node:crypto').webcrypto.Algorithm;
  type AlgorithmIdentifier = import('node:crypto').webcrypto.AlgorithmIdentifier;
  type BufferSource = ArrayBufferView<ArrayBuffer> | ArrayBuffer;
  type CryptoKeyPair = import('node:crypto').webcrypto.CryptoKeyPair;
  type EcKeyGenParams = import('node:crypto').webcrypto.EcKeyGenParams;
  type EcKeyImportParams = import('node:crypto').webcrypto.EcKeyImportParams;
  type EcdsaParams = import('node:crypto').webcrypto.EcdsaParams;
  type KeyUsage = import('node:crypto').webcrypto.KeyUsage;
  type RsaHashedImportParams = import('node:crypto').webcrypto.RsaHashedImportParams;
}

export {};
