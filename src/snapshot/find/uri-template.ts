import { linearPattern } from '../../base/linear-pattern.ts'

/** What an expression of RFC 6570 may stand for, by its operator. Only `+` and `#` give reserved characters. */
const EXPANSIONS: Readonly<Record<string, string>> = {
  '': '[^/?#]*',
  '+': '.*',
  '#': '(?:#.*)?',
  '.': '(?:\\.[^/?#]*)?',
  '/': '(?:/[^/?#]*)*',
  ';': '(?:;[^/?#]*)?',
  '?': '(?:\\?[^#]*)?',
  '&': '(?:&[^#]*)?',
}

/** A question to a URI: whether the template may stand for it. A template that cannot be read stands for none. */
export function toUriMatch(template: string): (uri: string) => boolean {
  const pieces = template.split(/\{([^{}]*)\}/)
  const [head] = pieces
  const source = pieces
    .map((piece, index) => {
      if (index % 2 === 0) return piece.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
      const operator = /^[+#./;?&]/.exec(piece)?.[0] ?? ''
      return EXPANSIONS[operator]
    })
    .join('')
  // Looked up each time: the patterns that are in use stay in a bounded store
  return (uri) => uri.startsWith(head!) && linearPattern(`^${source}$`)?.test(uri) === true
}

const UNRESERVED = /%(?:2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])/

/**
 * True for a URI that servers cannot take for another one: no segment is `.` or `..`, no unreserved character is encoded (RFC 3986,
 * 6.2.2), no separator is encoded or a backslash, and there are no control characters.
 */
export function isPlainUri(uri: string): boolean {
  if (UNRESERVED.test(uri) || /%(?:2[Ff]|5[Cc])|[\\\u0000-\u0020\u007f]/.test(uri)) return false
  return !uri
    .split(/[?#]/)[0]!
    .split('/')
    .some((segment) => segment === '.' || segment === '..')
}
