import { parseEscapedNames } from './escaped-names.ts'

/**
 * JSON whose objects name no member twice, at any depth. Two readers may pick different ones of a repeated member, and
 * what one of them judged the other would believe.
 * @returns undefined for anything else.
 */
export function parseStrictJson(text: string, depthMax: number): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const names = namesIn(text, depthMax)
  if (names === null) return undefined
  return names === 'escaped' ? parseEscapedNames(text) : value
}

/** One pass over text that is JSON: how its names are written; null where a member stands twice or something is too deep. */
function namesIn(text: string, depthMax: number): 'plain' | 'escaped' | null {
  let form: 'plain' | 'escaped' = 'plain'
  const levels: (Set<string> | null)[] = []
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: {
        const end = endOfString(text, at)
        const names = levels[levels.length - 1]
        if (names != null && isMember(text, end)) {
          const literal = text.slice(at, end)
          const name = JSON.parse(literal) as string
          if (literal.includes('\\')) form = 'escaped'
          if (names.has(name)) return null
          names.add(name)
        }
        at = end - 1
        break
      }
      case 0x7b:
        levels.push(new Set())
        break
      case 0x5b:
        levels.push(null)
        break
      case 0x7d:
      case 0x5d:
        levels.pop()
        break
    }
    if (levels.length > depthMax) return null
  }
  return form
}

/** Where the string that opens at `at` has ended. */
function endOfString(text: string, at: number): number {
  let end = at + 1
  while (end < text.length && text.charCodeAt(end) !== 0x22) end += text.charCodeAt(end) === 0x5c ? 2 : 1
  return end + 1
}

/** In an object a string before a colon is a name. */
function isMember(text: string, from: number): boolean {
  let at = from
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++
  return text.charCodeAt(at) === 0x3a
}
