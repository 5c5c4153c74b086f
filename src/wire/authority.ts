import { isIPv4, isIPv6 } from 'node:net'

const NAME = /^[a-z0-9_](?:[a-z0-9_.~-]{0,253}[a-z0-9_.])?$/
/** A last label that makes URL parsers read the whole name as an IPv4 address: `1.2`, `0x7f.1`, `256.1.1.1`. */
const NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/
const PORT = /^[1-9][0-9]{0,4}$/

/**
 * Lower-case form of a Host field or target authority (RFC 9110 4.2, RFC 3986 3.2) or null when it is none: user
 * information, a path, an empty name, a number that is no IPv4 address to all, an empty or impossible port, escapes. The port stays as sent.
 */
export function canonicalAuthority(authority: string): string | null {
  const lower = authority.toLowerCase()
  let nameEnd = lower.lastIndexOf(':')
  if (lower.charCodeAt(0) === 0x5b) {
    const bracket = lower.indexOf(']')
    if (bracket < 0 || lower.includes('%') || !isIPv6(lower.slice(1, bracket))) return null
    if (bracket === lower.length - 1) return lower
    if (nameEnd !== bracket + 1) return null
  } else {
    if (nameEnd < 0) nameEnd = lower.length
    const name = lower.slice(0, nameEnd)
    if (!NAME.test(name) || name.includes('..')) return null
    if (NUMBER.test(name) && !isIPv4(name)) return null
    if (nameEnd === lower.length) return lower
  }
  const port = lower.slice(nameEnd + 1)
  return PORT.test(port) && Number(port) <= 65_535 ? lower : null
}
