/** Results that nothing must be changed in pass as the origin wrote them: to write a result anew costs more than to read it. */
import type { Members } from '../protocol/message.ts'

/** The members before the result, as nearly all servers write them. */
const BEFORE =
  /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(?:"[^"\\]*"|-?\d+)|"id"\s*:\s*(?:"[^"\\]*"|-?\d+)\s*,\s*"jsonrpc"\s*:\s*"2\.0")\s*,\s*"result"\s*:\s*/

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
