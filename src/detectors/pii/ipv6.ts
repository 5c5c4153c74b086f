import { isIPv6 } from 'node:net'
import type { Found } from '../chars.ts'
import { codeAt, goesOn, isHex, isWord, runEnd } from '../chars.ts'

/** An IPv6 address with an IPv4 address at its end has 45 characters at most. */
const ADDRESS_MAX = 45
const GROUP_MAX = 4
/** Fewer digits are rather a name of a program: `a::b`. */
const DIGITS_MIN = 5

function isOfAddress(code: number): boolean {
  return isHex(code) || code === 58 || code === 46
}

/** The address (RFC 4291 section 2.2) whose first colon stands at `colon`. Not for a machine's own, `::1`. */
export function ipv6At(text: string, colon: number): Found | null {
  let start = colon
  while (colon - start <= GROUP_MAX && isHex(codeAt(text, start - 1))) start--
  const before = codeAt(text, start - 1)
  if (colon - start > GROUP_MAX || isWord(before) || before === 58 || before === 46) return null
  if (start === colon && codeAt(text, colon + 1) !== 58) return null
  let end = runEnd(text, colon, isOfAddress, ADDRESS_MAX + 1)
  // The end of a sentence, or what a colon leads to
  if (codeAt(text, end - 1) === 46 || (codeAt(text, end - 1) === 58 && codeAt(text, end - 2) !== 58)) end--
  if (end - start > ADDRESS_MAX || end - start < 7 || goesOn(text, end)) return null
  const address = text.slice(start, end)
  const digits = address.replaceAll(/[:.]/g, '')
  if (digits.length < DIGITS_MIN || !/\d/.test(digits) || !isIPv6(address)) return null
  return { start, end, kind: 'ip', confidence: 0.9 }
}
