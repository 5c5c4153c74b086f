import type { Found } from '../chars.ts'
import { codeAt, isDigit, isWord } from '../chars.ts'

/** RFC 5321 section 4.5.3.1. */
const LOCAL_MAX = 64
const DOMAIN_MAX = 255
/** Ends of file names that stand after an @ too: `logo@2x.png`. */
const FILES = /^(png|jpe?g|gif|svg|webp|avif|ico|m?js|css|html?|json|ya?ml|md|tsx?|txt|pdf)$/i

/** Characters of unquoted local parts, without those that rather part an address from what is before it. */
function isLocal(code: number): boolean {
  return isWord(code) || code === 46 || code === 43 || code === 45 || code === 37 || code >= 0xc0
}

function isDomain(code: number): boolean {
  return isWord(code) || code === 45 || code >= 0xc0
}

/** The address whose @ stands at `at` (RFC 5322 section 3.4.1, dot-atoms): its name has two labels, of which the last is no number. */
export function emailAt(text: string, at: number): Found | null {
  let start = at
  while (at - start <= LOCAL_MAX && isLocal(codeAt(text, start - 1))) start--
  if (at - start > LOCAL_MAX) return null
  while (start < at && isEdge(codeAt(text, start))) start++
  if (start === at || codeAt(text, at - 1) === 46) return null
  const end = domainEnd(text, at + 1)
  // git@example.com:orders/api.git is no address of a person
  if (end < 0 || (text.slice(start, at) === 'git' && codeAt(text, end) === 58)) return null
  return { start, end, kind: 'email', confidence: 0.95 }
}

/** `.`, `-`, `%`: what no address begins with. */
function isEdge(code: number): boolean {
  return code === 46 || code === 45 || code === 37
}

function domainEnd(text: string, from: number): number {
  let end = -1
  let labels = 0
  let label = from
  for (let at = from; at - from <= DOMAIN_MAX; at++) {
    const code = codeAt(text, at)
    if (isDomain(code)) continue
    if (at === label) break
    labels++
    if (labels > 1 && isTopLevel(text.slice(label, at))) end = at
    if (code !== 46) return isComplete(end, at)
    label = at + 1
  }
  return isComplete(end, label - 1)
}

/** What follows the last label that may end a name must not be a part of the name. */
function isComplete(end: number, last: number): number {
  return end === last ? end : -1
}

function isTopLevel(label: string): boolean {
  if (label.length < 2 || label.startsWith('-') || label.endsWith('-') || label.includes('_')) return false
  return (
    !isDigit(label.charCodeAt(0)) && (!/\d/.test(label) || label.startsWith('xn--')) && !FILES.test(label)
  )
}
