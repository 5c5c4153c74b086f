import type { Incoming } from '../../wire/port.ts'

/** Headers that the door reads and the wire leaves among the passed lines. */
const READ: ReadonlySet<string> = new Set([
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
    let lines: Map<string, string> | null = null
    return (name) => {
      const place = places.get(name)
      if (place !== undefined) return incoming.taken[place]
      lines ??= linesOf(incoming.pass)
      return lines.get(name)
    }
  }
}

function linesOf(pass: string): Map<string, string> {
  const lines = new Map<string, string>()
  let at = 0
  while (at < pass.length) {
    const end = pass.indexOf('\r\n', at)
    const colon = pass.indexOf(':', at)
    if (end === -1 || colon === -1) break
    const name = pass.slice(at, colon).toLowerCase()
    if (READ.has(name)) {
      const value = pass.slice(colon + 1, end).trim()
      const before = lines.get(name)
      lines.set(name, before === undefined ? value : `${before}, ${value}`)
    }
    at = end + 2
  }
  return lines
}
