import { patternFault } from '../../model/api/proxy.ts'
import { broken } from '../text/plain-data.ts'

/** A path of the description as a pattern of ours. */
export interface ReadPath {
  readonly pattern: string
  /** Same for two paths that differ only in parameter names. */
  readonly shape: string
  /** The parameters in their order. */
  readonly slots: readonly Slot[]
  /** What is imported differently from what was written. */
  readonly notes: readonly string[]
}

/** A parameter of a path: its name in the description, and in the pattern. null: it became a wildcard. */
interface Slot {
  readonly name: string
  readonly ours: string | null
}

/** Why no proxy can be made of a path. */
export interface Unusable {
  readonly unusable: string
}

/**
 * Turns a templated path (OpenAPI 3.1 section 4.8.8) into a pattern. Paths that are no paths at all are refused;
 * those that no canonical request can match are unusable, with the reason.
 * @param prefixes what the style of a parameter writes before its value; by the name in the description
 */
export function toPattern(
  path: string,
  pointer: string,
  prefixes: ReadonlyMap<string, string> = NO_PREFIXES,
): ReadPath | Unusable {
  if (!path.startsWith('/')) throw broken(pointer, 'a path starts with /')
  if (path.length > 4096) return { unusable: 'longer than 1024 characters' }
  const notes: string[] = []
  const slots: Slot[] = []
  const taken = new Set<string>()
  let pattern = ''
  let shape = ''
  for (const [literal, name] of partsOf(path, pointer)) {
    const cut = literal.search(/[?#]/)
    const text = toCanonical(cut === -1 ? literal : literal.slice(0, cut))
    pattern += text
    shape += text
    if (cut !== -1) {
      notes.push(`imported without "${path.slice(path.indexOf(literal.slice(cut))).slice(0, 80)}"`)
      break
    }
    if (name === null) continue
    if (/^[?&#]/.test(name)) {
      notes.push(`imported without {${name.slice(0, 80)}}`)
      break
    }
    if (/[+*]$|^\+/.test(name) && pattern.endsWith('/') && path.endsWith(`{${name}}`)) {
      slots.push({ name, ours: null })
      notes.push(`{${name}} became a wildcard for the rest of the path`)
      pattern += '*'
      shape += '*'
      continue
    }
    const prefix = toCanonical(prefixes.get(name) ?? '')
    if (!pattern.endsWith(prefix)) {
      pattern += prefix
      shape += prefix
    }
    const ours = toName(name, taken)
    if (slots.some((slot) => slot.name === name))
      notes.push(
        `parameter {${name.slice(0, 80)}} stands twice in the path; the later one is called {${ours}}`,
      )
    else if (ours !== name) notes.push(`parameter {${name.slice(0, 80)}} is called {${ours}}`)
    slots.push({ name, ours })
    pattern += `{${ours}}`
    shape += '{}'
  }
  if (pattern.endsWith('/*') && slots.every(({ ours }) => ours !== null))
    notes.push('/* matches the rest of the path')
  const fault = unusable(pattern)
  return fault === null ? { pattern, shape, slots, notes } : { unusable: fault }
}

const NO_PREFIXES: ReadonlyMap<string, string> = new Map()

/** Pairs of literal text and the parameter after it; the last has none. */
function partsOf(path: string, pointer: string): [string, string | null][] {
  const parts: [string, string | null][] = []
  let from = 0
  for (const match of path.matchAll(/\{([^{}]*)\}/g)) {
    if (match[1] === '') throw broken(pointer, 'a parameter without a name')
    parts.push([path.slice(from, match.index), match[1]!])
    from = match.index + match[0].length
  }
  parts.push([path.slice(from), null])
  if (parts.some(([literal]) => /[{}]/.test(literal)))
    throw broken(pointer, 'a brace without its counterpart')
  return parts
}

/** Canonical form of literal text: unreserved characters plain, others that need it as `%XX` in upper case. */
function toCanonical(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}|%|[^A-Za-z0-9._~!$&'()*+,;=:@/%-]+/g, (found) => {
    if (!/^%[0-9A-Fa-f]{2}$/.test(found)) return encodeURIComponent(found.toWellFormed())
    const char = String.fromCharCode(Number.parseInt(found.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(char) ? char : found.toUpperCase()
  })
}

function toName(name: string, taken: Set<string>): string {
  const base = name.replace(/[^A-Za-z0-9_.-]/g, '_').replace(/^(?![A-Za-z_])/, '_')
  let ours = base.slice(0, 64)
  for (let count = 2; taken.has(ours); count++) ours = `${base.slice(0, 60)}_${count}`
  taken.add(ours)
  return ours
}

/** The gateway refuses such requests as ambiguous, so a proxy for them could never be called. */
function unusable(pattern: string): string | null {
  if (/%(2F|5C|[01][0-9A-F]|7F)/.test(pattern)) return 'an encoded slash, backslash or control character'
  if (pattern.length > 1024) return 'longer than 1024 characters'
  return patternFault(pattern)
}
