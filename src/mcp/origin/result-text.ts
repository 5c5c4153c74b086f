/**
 * Finds the text of a result in a response. A result that needs no change is passed as the origin wrote it, because writing
 * it again costs more than reading it.
 */
import type { Members, RpcId } from '../protocol/message.ts'

const SPACE = '[ \\t\\r\\n]*'
const VERSION = `"jsonrpc"${SPACE}:${SPACE}"2\\.0"`
const ID = `"id"${SPACE}:${SPACE}("[ !#-[\\]-~]*"|-?\\d+)`
const NEXT = `${SPACE},${SPACE}`
/** The members before the result, as nearly all servers write them: of ASCII, so that bytes and characters are the same. */
const BEFORE = new RegExp(
  `^${SPACE}\\{${SPACE}(?:${VERSION}${NEXT}${ID}|${ID}${NEXT}${VERSION})${NEXT}"result"${SPACE}:${SPACE}`,
)

/** What stands before a result is not longer, in a response that passes. */
const BEFORE_BYTES_MAX = 512

/** Where the result of a response to the request of that id begins; -1 where it is written in another way. */
export function resultStart(json: Buffer, id: RpcId): number {
  const usual = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`
  if (startsWith(json, usual)) return usual.length
  const before = BEFORE.exec(json.toString('latin1', 0, BEFORE_BYTES_MAX))
  return before !== null && (before[1] ?? before[2]) === JSON.stringify(id) ? before[0].length : -1
}

/** True only for a text of ASCII. */
function startsWith(bytes: Buffer, text: string): boolean {
  for (let at = 0; at < text.length; at++)
    if (bytes[at] !== text.charCodeAt(at) || bytes[at]! > 0x7f) return false
  return true
}

/**
 * The text of the result of a response, on one line; null where it must be written anew. As the last of three members it reaches to the end
 * of the text.
 * @param json text that readJson has read: no member of the response stands in it twice
 * @param response what was read
 */
export function resultTextIn(json: string, response: Members): string | null {
  if (Object.keys(response).length !== 3) return null
  const before = BEFORE.exec(json)
  if (before === null) return null
  const text = json.slice(before[0].length, json.lastIndexOf('}')).trimEnd()
  // In a stream of events a line break ends the line
  return text.includes('\n') || text.includes('\r') ? null : text
}
