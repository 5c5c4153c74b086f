/** Each part ends where the next begins, so that there is one way to read a text. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g

/** The bytes of all blocks of one label in a PEM text (RFC 7468). Throws a RangeError when there is none, or another text. */
export function readPem(text: string, label: string): Buffer[] {
  const blocks: Buffer[] = []
  const rest = text.replace(BLOCK, (_whole, name: string, body: string) => {
    if (name !== label) throw new RangeError(`holds a ${name}, and should hold ${label} alone`)
    blocks.push(Buffer.from(body, 'base64'))
    return ''
  })
  // What is no secret is shown to everyone
  if (rest.includes('PRIVATE KEY'))
    throw new RangeError(`holds a PRIVATE KEY, and should hold ${label} alone`)
  if (rest.includes('-----')) throw new RangeError('holds a block that is cut off')
  if (blocks.length === 0) throw new RangeError(`holds no ${label} in PEM`)
  return blocks
}
