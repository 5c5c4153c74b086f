/** Links that carry data away: an image or a link in Markdown or HTML with a conversation, a secret or a template in its query. */

import { codeAt, type Found } from '../chars.ts'
import { entropyOf } from '../secrets/tokens.ts'

const URL_MAX = 1000
const LABEL_MAX = 200
const ENDS = new Set([...' \t\r\n()>"\'`'].map((char) => char.charCodeAt(0)))

/** Names of parameters into which instructions tell models to put what they know. */
const NAMES =
  /[?&#;](?:data|exfil\w*|leak|stolen|secrets?|conversation|history|chat|prompt|context|messages?|payload|dump|content|q|c|d|p)=/i
/** In a value: what a model is to fill in. */
const TEMPLATE = /[{[<]|%7b|\$[A-Z_]{3}/i
const LONG = 24
const VERY_LONG = 80

/** The target of a Markdown link or image whose round bracket stands at `bracket`. */
export function markdownLinkAt(text: string, bracket: number): Found | null {
  if (codeAt(text, bracket - 1) !== 93) return null
  return judged(text, bracket + 1, isImage(text, bracket - 1))
}

/** True where the square brackets that end at `end` have an exclamation mark before them, at most 200 characters further. */
function isImage(text: string, end: number): boolean {
  const before = text.slice(Math.max(0, end - LABEL_MAX), end)
  return before.charCodeAt(before.lastIndexOf('[') - 1) === 33
}

const TAG =
  /<(img|a|iframe|script|link|form|object|embed|video|audio|source)\b[^<>]{0,64}?\b(?:src|href|action|data)\s{0,3}=\s{0,3}["']?/iy

/** The address of an HTML element that begins at `start`. */
export function elementLinkAt(text: string, start: number): Found | null {
  TAG.lastIndex = start
  const element = TAG.exec(text)
  return element === null ? null : judged(text, TAG.lastIndex, element[1]!.toLowerCase() !== 'a')
}

function judged(text: string, from: number, isLoaded: boolean): Found | null {
  if (!/^(?:https?:)?\/\//i.test(text.slice(from, from + 8))) return null
  const stop = Math.min(text.length, from + URL_MAX)
  let end = from
  while (end < stop && !ENDS.has(codeAt(text, end))) end++
  const url = text.slice(from, end)
  const query = url.indexOf('?')
  if (query < 0) return null
  const confidence = confidenceOf(url.slice(query), isLoaded)
  return confidence === 0 ? null : { start: from, end, kind: 'exfiltration_link', confidence }
}

/** An image or a frame is loaded without a click. */
function confidenceOf(query: string, isLoaded: boolean): number {
  const values = query
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1))
  if (values.some((value) => TEMPLATE.test(value))) return isLoaded ? 0.9 : 0.6
  const longest = values.reduce((one, other) => (other.length > one.length ? other : one), '')
  const isNamed = NAMES.test(query)
  if (longest.length >= VERY_LONG && entropyOf(longest) > 3.5) return isLoaded ? 0.7 : isNamed ? 0.6 : 0.3
  if (isNamed && longest.length >= LONG) return isLoaded ? 0.75 : 0.4
  return 0
}
