/** URI templates (RFC 6570) of resources. */
import { linearPattern } from '../../base/text/patterns.ts'

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

/** Characters that readers drop, or take for one that separates. */
const UNSEEN = /[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Z}\\]/u
/** An encoded control character, separator or percent sign that a second decoding would make an escape of. */
const ENCODED = /%(?:[01][0-9A-Fa-f]|7[Ff]|2[Ff]|5[Cc]|25[0-9A-Fa-f]{2})/
const STRUCTURE = /[./?#%\\]/g

/**
 * True for a URI that servers cannot take for another one: no segment is `.` or `..`, no unreserved character is encoded (RFC 3986,
 * 6.2.2), no separator, control character or escape is encoded, no character is a compatibility form of a separator, and none is
 * invisible.
 */
export function isPlainUri(uri: string): boolean {
  if (UNRESERVED.test(uri) || ENCODED.test(uri) || UNSEEN.test(uri)) return false
  const normal = uri.normalize('NFKC')
  if (normal !== uri && normal.match(STRUCTURE)?.length !== uri.match(STRUCTURE)?.length) return false
  return !uri
    .split(/[?#]/)[0]!
    .split('/')
    .some((segment) => /^\.\.?(?:%20)*(;|$)/.test(segment))
}

/** How expressions of an operator begin, what stands between values, and whether values keep reserved characters. */
const OPERATORS: ReadonlyMap<
  string,
  readonly [first: string, between: string, isNamed: boolean, isOpen: boolean]
> = new Map([
  ['', ['', ',', false, false]],
  ['+', ['', ',', false, true]],
  ['#', ['#', ',', false, true]],
  ['.', ['.', '.', false, false]],
  ['/', ['/', '/', false, false]],
  [';', [';', ';', true, false]],
  ['?', ['?', '&', true, false]],
  ['&', ['&', '&', true, false]],
])
const EXPRESSION = /\{([+#./;?&]?)([^{}]*)\}/g

/** Names of the variables of a template. */
export function templateNames(template: string): readonly string[] {
  return [...template.matchAll(EXPRESSION)].flatMap(([, , list = '']) => list.split(',').map(variableOf))
}

/** The URI of a template (RFC 6570) with these texts; null where a variable has none. */
export function expandedUri(template: string, texts: ReadonlyMap<string, string>): string | null {
  if (templateNames(template).some((name) => !texts.has(name))) return null
  return template.replaceAll(EXPRESSION, (_, operator: string, list: string) => {
    const [first, between, isNamed, isOpen] = OPERATORS.get(operator)!
    const values = list.split(',').map((variable) => {
      const name = variableOf(variable)
      const whole = texts.get(name)!.toWellFormed()
      const cut = /:(\d{1,4})$/.exec(variable)
      const text = cut === null ? whole : [...whole].slice(0, Number(cut[1])).join('')
      const encoded = isOpen ? encodeURI(text) : encodeURIComponent(text)
      return isNamed ? `${name}=${encoded}` : encoded
    })
    return first + values.join(between)
  })
}

function variableOf(text: string): string {
  return text.replace(/(?:\*|:\d{1,4})$/, '')
}
