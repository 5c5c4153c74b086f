import { createFieldReader } from '../../gateway/header-lines.ts'
import type { Incoming } from '../../wire/port.ts'

/** Headers that the door reads and the wire leaves among the passed lines. */
const readPassed = createFieldReader([
  'accept',
  'content-type',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'origin',
  'x-conversation-id',
])

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
      passed ??= readPassed(incoming.pass)
      return passed[name]
    }
  }
}
