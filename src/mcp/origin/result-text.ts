/** Results that nothing must be changed in pass as the origin wrote them: to write a result anew costs more than to read it. */
import type { Members, RpcId } from '../protocol/message.ts'

const SPACE = '[ \\t\\r\\n]*'
const VERSION = `"jsonrpc"${SPACE}:${SPACE}"2\\.0"`
const ID = `"id"${SPACE}:${SPACE}("[ !#-[\\]-~]*"|-?\\d+)`
const NEXT = `${SPACE},${SPACE}`
/** The members before the result, as nearly all servers write them: of ASCII, so that bytes and characters are the same. */
const BEFORE = new RegExp(
  `^${SPACE}\\{${SPACE}(?:${VERSION}${NEXT}${ID}|${ID}${NEXT}${VERSION})${NEXT}"result"${SPACE}:${SPACE}`,
)

/** Where the result of a response to the request of that id begins; -1 where it is written in another way. */
export function resultStart(json: string, id: RpcId): number {
  const before = BEFORE.exec(json)
  return before !== null && (before[1] ?? before[2]) === JSON.stringify(id) ? before[0].length : -1
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
