import { ServiceFailure } from '../failure.ts'
import type { RedisWork } from '../port.ts'
import { RedisError, type Reply } from './reply.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A reply as JSON. `HGETALL` gives an object.
 * @throws ServiceFailure for a value that is not in the encoding
 */
export function replyValue(command: string, reply: Reply, encoding: RedisWork['encoding']): unknown {
  if (reply instanceof RedisError) throw new ServiceFailure('refused', `Redis refused a part (${reply.code})`)
  if (Buffer.isBuffer(reply)) return decoded(reply, encoding)
  if (!Array.isArray(reply)) return reply
  if (command !== 'HGETALL') return reply.map((one: Reply) => replyValue('', one, encoding))
  const fields: (readonly [string, unknown])[] = []
  for (let at = 0; at + 1 < reply.length; at += 2)
    fields.push([String(replyValue('', reply[at], 'text')), replyValue('', reply[at + 1], encoding)])
  return Object.fromEntries(fields)
}

function decoded(bytes: Buffer, encoding: RedisWork['encoding']): unknown {
  if (encoding === 'base64') return bytes.toString('base64')
  try {
    const text = UTF8.decode(bytes)
    return encoding === 'json' ? (JSON.parse(text) as unknown) : text
  } catch {
    const wanted = encoding === 'json' ? 'JSON' : 'text in UTF-8; set encoding to base64'
    throw new ServiceFailure('encoding', `a value is no ${wanted}`)
  }
}
