/** One value of DER (X.690): strict, so that bytes can be read in one way only. */
export interface Der {
  /** Identifier octet: class, constructed bit, number below 31. */
  readonly tag: number
  readonly content: Uint8Array
  /** Identifier, length and content. */
  readonly whole: Uint8Array
}

export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

/** Reads bytes that are one value. Throws a RangeError on anything else. */
export function readDer(bytes: Uint8Array): Der {
  const value = valueAt(bytes, 0)
  if (value.whole.length !== bytes.length) throw new RangeError('bytes follow the value')
  return value
}

/** The values in a constructed one. Throws a RangeError where it holds anything else. */
export function derItems({ tag, content }: Der): Der[] {
  if ((tag & 0x20) === 0) throw new RangeError('a primitive value holds no others')
  const items: Der[] = []
  for (let at = 0; at < content.length; ) {
    const item = valueAt(content, at)
    items.push(item)
    at += item.whole.length
  }
  return items
}

/** Content of a value as hexadecimal text, when it has the tag. Throws a RangeError otherwise. */
export function derHex(value: Der | undefined, tag: number): string {
  if (value?.tag !== tag || value.content.length === 0)
    throw new RangeError('another type of value stands here')
  return Buffer.from(value.content).toString('hex')
}

/** A UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 writes them: milliseconds since the epoch. */
export function derTime({ tag, content }: Der): number {
  const text = Buffer.from(content).toString('latin1')
  const match =
    tag === DER.utcTime
      ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
      : tag === DER.generalizedTime
        ? /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
        : null
  if (match === null) throw new RangeError('no time as RFC 5280 writes it')
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  const full = tag === DER.utcTime ? (year < 50 ? 2000 : 1900) + year : year
  return Date.UTC(full, month - 1, day, hour, minute, second)
}

function valueAt(bytes: Uint8Array, at: number): Der {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) throw new RangeError('the value is cut off')
  if ((tag & 0x1f) === 0x1f) throw new RangeError('a tag number above 30')
  let from = at + 2
  let length = first
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > 4) throw new RangeError('a length that is indefinite or too long')
    length = 0
    for (let i = 0; i < octets; i++) length = length * 256 + (bytes[from + i] ?? 0)
    if (length < 0x80 || bytes[from] === 0) throw new RangeError('a length that could be shorter')
    from += octets
  }
  const end = from + length
  if (end > bytes.length) throw new RangeError('the value is cut off')
  return { tag, content: bytes.subarray(from, end), whole: bytes.subarray(at, end) }
}
