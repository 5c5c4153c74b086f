/** Where a cluster keeps a key (Redis cluster specification, "Key distribution model" and "Hash tags"). */

/** Slots of a cluster. */
export const SLOTS = 16_384

/** CRC-16 of XMODEM, by the highest byte of the sum so far. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 8
  for (let bit = 0; bit < 8; bit++) sum = sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1
  return sum
})

/** The slot of a key: of its hash tag, the text between its first `{` and the next `}`, if that is not empty. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  let sum = 0
  for (const byte of Buffer.from(hashed)) sum = ((sum << 8) ^ TABLE[((sum >> 8) ^ byte) & 0xff]!) & 0xffff
  return sum % SLOTS
}
