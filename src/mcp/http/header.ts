import { createFieldReader, fieldValue } from '../../gateway/header-lines.ts'
import type { Incoming } from '../../wire/port.ts'

/** Headers that the door reads of each request and the wire leaves among the passed lines. */
const PASSED = [
  'accept',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'origin',
  'x-conversation-id',
]
const readPassed = createFieldReader(PASSED)
const isPassed: ReadonlySet<string> = new Set(PASSED)

/**
 * Gives a getter of the headers of one request: those taken by the wire by their place, the others from one pass
 * over the passed lines. Repeated fields are joined by `, ` (RFC 9110 section 5.3), so that they match nothing.
 */
export function headerReader(
  taken: readonly string[],
): (incoming: Incoming) => (name: string) => string | undefined {
  const places = new Map(taken.map((name, place) => [name, place]))
  return (incoming) => {
    let passed: Readonly<Record<string, string>> | null = null
    return (name) => {
      const place = places.get(name)
      if (place !== undefined) return incoming.taken[place]
      // Such as a header for an argument of one tool
      if (!isPassed.has(name)) return fieldValue(incoming.pass, name)
      passed ??= readPassed(incoming.pass)
      return passed[name]
    }
  }
}
