/** A size for people, as QEMU's size_to_str writes it: three digits and a unit. */
export function sizeText(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(5, Math.floor(Math.log2(bytes) / 10 + Math.log2(1024 / 1000) / 10));
  const value = Number((bytes / 1024 ** step).toPrecision(3));
  return `${value} ${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'][step]}B`;
}
