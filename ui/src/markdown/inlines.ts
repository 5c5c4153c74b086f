/**
 * Emphasis, code, links and line breaks within a paragraph of Markdown: the forms of CommonMark and GFM that descriptions of APIs use.
 * Raw HTML, link references and links to other schemes than http, https and mailto stay text.
 */

export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'break' }
  | { readonly kind: 'strong' | 'emphasis' | 'deleted'; readonly children: readonly Inline[] }
  | {
      readonly kind: 'link'
      readonly href: string
      readonly children: readonly Inline[]
      /** Written as an image, whose text is in `children`. */
      readonly isImage?: true
    }

/** Where a target that a text names leads to; null: nowhere, so that the link stays text. */
export type HrefOf = (target: string) => string | null

/** Emphasis in emphasis: deeper than this, its marks stay text. */
const DEPTH_MAX = 8
const PUNCTUATION = /[\p{P}\p{S}]/u
const ESCAPABLE = /[!-/:-@[-`{-~]/
/** Characters at which something may begin. `h` begins addresses. */
const SPECIAL = /[\\`*_~[\]!<&\nhH]/g
const TARGET =
  /\(\s{0,9}(?:<([^<>\n]{0,2000})>|([^\s()<>]{0,2000}(?:\([^\s()<>]{0,500}\)[^\s()<>]{0,500}){0,4}))(?:\s{1,9}(?:"[^"]{0,500}"|'[^']{0,500}'|\([^()]{0,500}\)))?\s{0,9}\)/y
const ANGLED = /<((?:https?:\/\/|mailto:)[^\s<>]{1,2000}|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})>/iy
const ADDRESS = /https?:\/\/[^\s<>[\]`|"]{1,2000}/iy
const ENTITY = /&(?:(amp|lt|gt|quot|apos|nbsp)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));/y
const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
}

type Mark = '*' | '_' | '~'
/** Something that is read. */
interface Placed {
  readonly node: Inline
  readonly depth: number
  /** A link that shows as its children within another link: an image, or an address. */
  readonly isLoose?: true
}
/** A run of marks that may begin or end emphasis. */
interface Run {
  readonly mark: Mark
  readonly count: number
  readonly canOpen: boolean
  readonly canClose: boolean
}
interface Bracket {
  readonly bracket: '[' | '!['
}
type Item = Placed | Run | Bracket

/** Where a link of a description may lead; null: nowhere, as a browser would run it, or take it for an address below the page. */
export function safeHref(text: string): string | null {
  if (!/^(?:https?:\/\/|mailto:)/i.test(text) || !URL.canParse(text)) return null
  const { protocol, href } = new URL(text)
  return ['http:', 'https:', 'mailto:'].includes(protocol) ? href : null
}

/**
 * The content of a paragraph. Time grows with the length of the text. Only where emphasis is nested deeper than {@link DEPTH_MAX}, it
 * grows with the square of the length.
 */
export function inlinesOf(text: string, hrefOf: HrefOf): readonly Inline[] {
  return nodesOf(marked(itemsOf(text, hrefOf)))
}

function itemsOf(text: string, hrefOf: HrefOf): Item[] {
  const items: Item[] = []
  /** Places of brackets in `items` that may begin a link. */
  let brackets: number[] = []
  const endOfCode = codeEnds(text)
  let written = ''
  const flush = (): void => {
    if (written !== '') items.push(placed({ kind: 'text', text: written }))
    written = ''
  }
  const put = (item: Item): void => {
    flush()
    items.push(item)
  }
  let at = 0
  while (at < text.length) {
    SPECIAL.lastIndex = at
    const next = SPECIAL.exec(text)?.index ?? text.length
    written += text.slice(at, next)
    at = next
    const sign = text[at]
    if (sign === undefined) break
    if (sign === '\\') {
      const escaped = text[at + 1] ?? ''
      if (escaped === '\n') put(placed({ kind: 'break' }))
      else written += ESCAPABLE.test(escaped) ? escaped : `\\${escaped}`
      at += escaped === '' ? 1 : 2
    } else if (sign === '`') {
      const length = runLength(text, at)
      const end = endOfCode(at, length)
      if (end === null) written += '`'.repeat(length)
      else put(placed({ kind: 'code', text: codeText(text.slice(at + length, end)) }))
      at = end === null ? at + length : end + length
    } else if (sign === '*' || sign === '_' || sign === '~') {
      const length = runLength(text, at)
      if (sign === '~' && length !== 2) written += sign.repeat(length)
      else put(runOf(text, at, sign, length))
      at += length
    } else if (sign === '[' || (sign === '!' && text[at + 1] === '[')) {
      const bracket = sign === '[' ? '[' : '!['
      put({ bracket })
      brackets.push(items.length - 1)
      at += bracket.length
    } else if (sign === ']') {
      const from = brackets.pop()
      const target = from === undefined ? null : targetAt(text, at + 1, hrefOf)
      if (from === undefined || target === null) written += ']'
      else {
        flush()
        const isImage = (items[from] as Bracket).bracket === '!['
        const inner = nodesOf(marked(items.splice(from).slice(1).map(withoutLink)))
        const children = inner.length === 0 ? [{ kind: 'text', text: target.href } as const] : inner
        const node: Inline = {
          ...{ kind: 'link', href: target.href, children },
          ...(isImage && { isImage }),
        }
        items.push({ node, depth: 1, ...(isImage && { isLoose: true }) })
        // A link has no link in it
        if (!isImage) brackets = brackets.filter((one) => (items[one] as Bracket).bracket === '![')
      }
      at = target === null ? at + 1 : target.end
    } else if (sign === '\n') {
      const isHard = written.endsWith('  ')
      written = written.trimEnd()
      if (isHard) put(placed({ kind: 'break' }))
      else written += '\n'
      at += 1
    } else {
      const found = sign === '&' ? entityAt(text, at) : addressAt(text, at)
      if (found === null) written += sign
      else if ('text' in found) written += found.text
      else put({ node: found.node, depth: 1, isLoose: true })
      at = found?.end ?? at + 1
    }
  }
  flush()
  return items
}

function placed(node: Inline): Placed {
  return { node, depth: 0 }
}

function runLength(text: string, at: number): number {
  let end = at + 1
  while (text[end] === text[at]) end++
  return end - at
}

/** Finds the run of backticks that ends a code span. Each run is looked at once. */
function codeEnds(text: string): (at: number, length: number) => number | null {
  const places = new Map<number, number[]>()
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    const known = places.get(run.length)
    if (known === undefined) places.set(run.length, [index])
    else known.push(index)
  }
  for (const known of places.values()) known.reverse()
  return (at, length) => {
    const known = places.get(length) ?? []
    while (known.length > 0 && known.at(-1)! <= at) known.pop()
    return known.at(-1) ?? null
  }
}

function codeText(text: string): string {
  const line = text.replaceAll('\n', ' ')
  return /^ .*[^ ].* $/.test(line) ? line.slice(1, -1) : line
}

function runOf(text: string, at: number, mark: Mark, count: number): Run {
  const before = text[at - 1] ?? ' '
  const after = text[at + count] ?? ' '
  const [isSpaceBefore, isSpaceAfter] = [/\s/.test(before), /\s/.test(after)]
  const [isSignBefore, isSignAfter] = [PUNCTUATION.test(before), PUNCTUATION.test(after)]
  const isLeft = !isSpaceAfter && (!isSignAfter || isSpaceBefore || isSignBefore)
  const isRight = !isSpaceBefore && (!isSignBefore || isSpaceAfter || isSignAfter)
  if (mark !== '_') return { mark, count, canOpen: isLeft, canClose: isRight }
  // Within a word, as in `base_path`, it is a letter
  return {
    mark,
    count,
    canOpen: isLeft && (!isRight || isSignBefore),
    canClose: isRight && (!isLeft || isSignAfter),
  }
}

function targetAt(
  text: string,
  at: number,
  hrefOf: HrefOf,
): { readonly href: string; readonly end: number } | null {
  TARGET.lastIndex = at
  const found = TARGET.exec(text)
  if (found === null) return null
  const end = TARGET.lastIndex
  const href = hrefOf((found[1] ?? found[2] ?? '').replace(/\\([!-/:-@[-`{-~])/g, '$1'))
  return href === null ? null : { href, end }
}

type Found =
  | { readonly text: string; readonly end: number }
  | { readonly node: Inline; readonly end: number }
  | null

function entityAt(text: string, at: number): Found {
  ENTITY.lastIndex = at
  const found = ENTITY.exec(text)
  if (found === null) return null
  const [, name, decimal, hexadecimal] = found
  const end = ENTITY.lastIndex
  if (name !== undefined) return { text: NAMED[name]!, end }
  const point = decimal === undefined ? Number.parseInt(hexadecimal!, 16) : Number(decimal)
  const isCharacter = point > 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff)
  return { text: isCharacter ? String.fromCodePoint(point) : '\ufffd', end }
}

/** An address as it stands: `<https://…>`, `<ann@example.com>` or `https://…`. */
function addressAt(text: string, at: number): Found {
  const form = text[at] === '<' ? ANGLED : ADDRESS
  if (form === ADDRESS && /\w/.test(text[at - 1] ?? '')) return null
  form.lastIndex = at
  const found = form.exec(text)
  if (found === null) return null
  const shown = found[1] ?? withoutTail(found[0])
  const href = safeHref(form === ANGLED && !shown.includes(':') ? `mailto:${shown}` : shown)
  if (href === null) return null
  const end = form === ANGLED ? form.lastIndex : at + shown.length
  return { node: { kind: 'link', href, children: [{ kind: 'text', text: shown }] }, end }
}

/** Signs at the end of an address belong to the sentence around it. */
function withoutTail(address: string): string {
  let end = address.length
  while (/[?!.,:;*_~')]/.test(address[end - 1]!)) {
    const isInner = address[end - 1] === ')' && address.slice(0, end).includes('(')
    if (isInner) break
    end--
  }
  return address.slice(0, end)
}

function withoutLink(item: Item): Item {
  if (!('node' in item) || item.isLoose !== true || item.node.kind !== 'link') return item
  const [only] = item.node.children
  return item.node.children.length === 1 && only !== undefined
    ? placed(only)
    : placed({ kind: 'text', text: plainText(item.node.children) })
}

/** The text of nodes, without their marks. */
function plainText(nodes: readonly Inline[]): string {
  return nodes
    .map((node) => (node.kind === 'break' ? '\n' : 'children' in node ? plainText(node.children) : node.text))
    .join('')
}

/** Matches runs of marks from the left, the nearest first. What is left of a run is text. */
function marked(items: readonly Item[]): Placed[] {
  const stack: (Placed | Run)[] = []
  const open: Record<Mark, number> = { '*': 0, _: 0, '~': 0 }
  for (const item of items) {
    if ('node' in item) stack.push(item)
    else if ('bracket' in item) stack.push(placed({ kind: 'text', text: item.bracket }))
    else {
      let { count } = item
      while (item.canClose && count > 0 && open[item.mark] > 0) {
        const from = stack.findLastIndex((one) => 'mark' in one && one.mark === item.mark)
        const opening = stack[from] as Run
        const depth = 1 + Math.max(0, ...stack.slice(from + 1).map((one) => ('node' in one ? one.depth : 0)))
        if (depth > DEPTH_MAX) break
        const used = opening.count >= 2 && count >= 2 ? 2 : 1
        for (const one of stack.slice(from)) if ('mark' in one) open[one.mark]--
        const children = nodesOf(stack.splice(from).slice(1).map(asText))
        if (opening.count > used) {
          stack.push({ ...opening, count: opening.count - used })
          open[item.mark]++
        }
        const kind = item.mark === '~' ? 'deleted' : used === 2 ? 'strong' : 'emphasis'
        stack.push({ node: { kind, children }, depth })
        count -= used
      }
      if (count > 0 && item.canOpen) {
        stack.push({ ...item, count })
        open[item.mark]++
      } else if (count > 0) stack.push(asText({ ...item, count }))
    }
  }
  return stack.map(asText)
}

function asText(item: Placed | Run): Placed {
  return 'node' in item ? item : placed({ kind: 'text', text: item.mark.repeat(item.count) })
}

/** Neighbouring texts become one. */
function nodesOf(items: readonly Placed[]): readonly Inline[] {
  const nodes: Inline[] = []
  for (const { node } of items) {
    const last = nodes.at(-1)
    if (node.kind === 'text' && last?.kind === 'text')
      nodes[nodes.length - 1] = { kind: 'text', text: last.text + node.text }
    else nodes.push(node)
  }
  return nodes
}
