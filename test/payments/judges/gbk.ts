/** Node decodes GBK and cannot encode it: the other way round by trying every pair of bytes. */
const bytesOf = new Map<string, Buffer>([['😀', Buffer.from([0x94, 0x39, 0xfc, 0x36])]]);
const decoder = new TextDecoder('gbk');
for (let lead = 0x81; lead <= 0xfe; lead++) {
  for (let trail = 0x40; trail <= 0xfe; trail++) {
    const bytes = Buffer.from([lead, trail]);
    const char = decoder.decode(bytes);
    if (char.length === 1 && char !== '\ufffd' && !bytesOf.has(char)) bytesOf.set(char, bytes);
  }
}

/** @throws Error for a character that GBK does not have. One of four bytes is known, which only GB18030 has. */
export function encodeGbk(text: string): Buffer {
  return Buffer.concat(
    Array.from(text, (char) => {
      const bytes = char.charCodeAt(0) < 0x80 ? Buffer.from(char) : bytesOf.get(char);
      if (bytes === undefined) throw new Error(`GBK has no ${char}`);
      return bytes;
    }),
  );
}
