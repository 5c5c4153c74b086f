/** Compiles detectors from settings: once for each snapshot, never for a request. */
import { COMMA, endOfString, QUOTE } from '../base/json/scan.ts'
import { type LinearPattern, linearPattern } from '../base/text/patterns.ts'
import type { Found, Span } from './chars.ts'
import { type Folded, foldedOf, unescapedOf } from './folded.ts'
import { scanBeyondAscii, scanFor, type Wanted } from './scan.ts'
import { namedValue } from './secrets/named.ts'
import {
  type BuiltInKind,
  type DetectorName,
  type DetectorSettings,
  INJECTION_KINDS,
  NATIONAL_IDS,
  type NamedPattern,
  PII_KINDS,
  SECRET_KINDS,
  type SizeLimits,
  THRESHOLD_DEFAULT,
} from './settings.ts'

/** How far the detectors have read a text that comes in pieces. Its places are those of the text at hand. */
interface Cursor {
  at: number
  beyondAscii: number
  /** In what the text reads as (`folded.ts`). */
  folded: number
  /** Of each pattern in the text itself, and behind them of each in the text without escapes. */
  readonly patterns: PatternCursor[]
}

/** Several detectors that read a text together. */
export interface Detectors {
  /**
   * What they find in a whole text, by start and then by end. Spans of different kinds may overlap.
   * @param name Of the member whose value the text is. A name such as `password` or `phone` tells what a value is.
   */
  find(text: string, name?: string): readonly Span[]
  cursor(): Cursor
  /**
   * Reads on to before `to` and adds what begins there to `spans`, in no order.
   * @param offset The place of the text in the stream that it is a part of.
   */
  advance(text: string, offset: number, cursor: Cursor, to: number, spans: Span[]): void
  /** True with limits of size and with a schema: these judge whole texts alone. */
  readonly hasSize: boolean
}

/** A kind that is looked for. */
interface Rule {
  readonly detector: DetectorName
  readonly threshold: number
  readonly allow: ReadonlySet<string>
}

/** @throws RangeError for a detector that is named twice, and a pattern that cannot be searched for in linear time. */
export function compileDetectors(settings: readonly DetectorSettings[]): Detectors {
  const names = settings.map(({ detector }) => detector)
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated !== undefined) throw new RangeError(`the detector "${repeated}" is named twice`)
  const rules = new Map<BuiltInKind, Rule>(settings.flatMap(rulesOf))
  const patterns = settings
    .flatMap((one) => (one.detector === 'regex' ? one.patterns : []))
    .map(compilePattern)
  const size = settings.find((one) => one.detector === 'size')
  const wanted = wantedOf(rules)
  const scan = rules.size === 0 ? null : scanFor(wanted)
  const scanBeyond = scanBeyondAscii(wanted)
  const named = rules.get('named')

  // The text of the current scan: a scan waits for nothing, so there is only one at a time
  let read = ''
  let into: Span[] = []
  /** The spans of a folded text are those that reach beyond what the text itself has. */
  let view: Folded | null = null
  /** By kind and begin where spans end, and by kind and end where they begin. */
  let known: Map<string, number> | null = null

  function reportFolded(found: Found): boolean {
    const start = view!.startOf(found.start)
    const end = view!.endOf(found.end)
    const place = { kind: found.kind, start, end }
    if (isKnown(place)) return true
    const before = into.length
    if (!report(found)) return false
    into[before] = { ...into[before]!, start, end }
    remember(place)
    return true
  }

  /** True where a span of the kind begins or ends at the same place, and reaches as far. */
  function isKnown(place: Place): boolean {
    known ??= new Map(into.flatMap(placesOf))
    const [[from], [to]] = placesOf(place)
    return (known.get(from) ?? -1) >= place.end || (known.get(to) ?? Infinity) <= place.start
  }

  function remember(place: Place): void {
    for (const [key, other] of placesOf(place)) known!.set(key, other)
  }

  /** Patterns read a text as it stands, and with escapes as what they stand for. */
  function matchAll(
    text: string,
    offset: number,
    cursors: readonly PatternCursor[],
    to: number,
    spans: Span[],
  ): void {
    if (patterns.length === 0) return
    for (const [index, pattern] of patterns.entries())
      pattern.advance(text, offset, cursors[index]!, to, spans)
    const unescaped = unescapedOf(text)
    for (const [index, pattern] of patterns.entries()) {
      const cursor = cursors[patterns.length + index]!
      if (unescaped === null) enter(cursor, offset, Math.max(cursor.at, to))
      else
        pattern.advanceIn(unescaped, text, offset, cursor, to, (start, end) => {
          const place = { kind: pattern.kind, start, end }
          if (isKnown(place)) return
          spans.push({ ...place, detector: 'regex', confidence: 1 })
          remember(place)
        })
    }
    known = null
  }

  /** Reads what the text reads as, from the place `from` of the text itself to before `to`, and gives the place where to go on. */
  function scanFolded(text: string, from: number, to: number, name: string): number {
    view = scan === null ? null : foldedOf(text)
    if (view === null) return Math.max(from, to)
    read = view.text
    const at = scan!(read, view.placeOf(from), view.placeOf(to), name, reportFolded)
    const reached = at < read.length ? view.startOf(at) : text.length
    view = null
    known = null
    return Math.max(reached, from)
  }

  function report({ start, end, kind, confidence }: Found): boolean {
    const rule = rules.get(kind)
    if (rule === undefined || confidence < rule.threshold) return false
    if (rule.allow.size > 0 && rule.allow.has(read.slice(start, end).toLowerCase())) return false
    into.push({ start, end, detector: rule.detector, kind, confidence })
    return true
  }

  function advance(text: string, offset: number, cursor: Cursor, to: number, spans: Span[]): void {
    read = text
    into = spans
    // A cursor that stayed behind would have the window keep all text since
    cursor.at = scan === null ? Math.max(cursor.at, to) : scan(text, cursor.at, to, '', report)
    cursor.beyondAscii =
      scanBeyond === null
        ? Math.max(cursor.beyondAscii, to)
        : scanBeyond(text, cursor.beyondAscii, to, '', report)
    cursor.folded = scanFolded(text, cursor.folded, to, '')
    read = ''
    matchAll(text, offset, cursor.patterns, to, spans)
  }

  const patternCursors = (): PatternCursor[] => [...patterns, ...patterns].map(() => ({ at: 0, matches: 0 }))

  return {
    hasSize: size !== undefined,
    cursor: () => ({
      at: 0,
      beyondAscii: 0,
      folded: 0,
      patterns: patternCursors(),
    }),
    advance,
    find(text, name = '') {
      const spans: Span[] = size === undefined ? [] : sizeSpans(text, size)
      read = text
      into = spans
      if (scan !== null) scan(text, 0, text.length, name, report)
      if (scanBeyond !== null) scanBeyond(text, 0, text.length, name, report)
      if (named !== undefined && name !== '') {
        const found = namedValue(text, name)
        if (found !== null) report(found)
      }
      scanFolded(text, 0, text.length, name)
      read = ''
      matchAll(text, 0, patternCursors(), text.length, spans)
      return spans.length > 1 ? spans.sort(inOrder) : spans
    },
  }
}

type Place = Pick<Span, 'kind' | 'start' | 'end'>

function placesOf({ kind, start, end }: Place): [[string, number], [string, number]] {
  return [
    [`${kind} from ${start}`, end],
    [`${kind} to ${end}`, start],
  ]
}

function inOrder(one: Span, other: Span): number {
  return one.start - other.start || one.end - other.end || (one.kind < other.kind ? -1 : 1)
}

type BuiltIn = Extract<DetectorSettings, { detector: keyof typeof KINDS }>

function rulesOf(settings: DetectorSettings): [BuiltInKind, Rule][] {
  if (!(settings.detector in KINDS)) return []
  const { detector, threshold = THRESHOLD_DEFAULT, allow = [], ...selected } = settings as BuiltIn
  const kinds: readonly BuiltInKind[] = selected.kinds ?? KINDS[detector]
  const rule: Rule = { detector, threshold, allow: new Set(allow.map((text) => text.toLowerCase())) }
  return kinds.map((kind) => [kind, rule])
}

const KINDS = { pii: PII_KINDS, secrets: SECRET_KINDS, injection: INJECTION_KINDS }

const LETTERED: readonly BuiltInKind[] = ['iban', 'uk_nino', 'es_dni', 'it_codice_fiscale', 'fr_nir']
const MARKED: readonly BuiltInKind[] = SECRET_KINDS.filter(
  (kind) => !['private_key', 'connection_string', 'named'].includes(kind),
)

function wantedOf(rules: ReadonlyMap<BuiltInKind, Rule>): Wanted {
  const hasAny = (...kinds: readonly BuiltInKind[]): boolean => kinds.some((kind) => rules.has(kind))
  return {
    numbers: hasAny('card', ...NATIONAL_IDS),
    lettered: hasAny(...LETTERED),
    email: hasAny('email'),
    phone: hasAny('phone'),
    ip: hasAny('ip'),
    tokens: hasAny(...MARKED),
    named: hasAny('named'),
    privateKey: hasAny('private_key'),
    connection: hasAny('connection_string'),
    azure: hasAny('azure'),
    phrases: hasAny('instruction', 'tool_instruction'),
    hidden: hasAny('hidden_text'),
    links: hasAny('exfiltration_link'),
    thresholds: (kind) => rules.get(kind)?.threshold ?? 2,
  }
}

/** Which limits a text exceeds: one span over the whole text for each. Depth and items are those of JSON, counted without parsing it. */
function sizeSpans(text: string, { bytes, depth, items }: SizeLimits): Span[] {
  const exceeded: string[] = []
  if (bytes !== undefined && text.length * 3 > bytes && Buffer.byteLength(text) > bytes)
    exceeded.push('bytes')
  if (depth !== undefined || items !== undefined) {
    const measured = measure(text, depth ?? Number.POSITIVE_INFINITY, items ?? Number.POSITIVE_INFINITY)
    if (measured.isTooDeep) exceeded.push('depth')
    if (measured.isTooLong) exceeded.push('items')
  }
  return exceeded.map((kind) => ({ start: 0, end: text.length, detector: 'size', kind, confidence: 1 }))
}

interface Measured {
  readonly isTooDeep: boolean
  readonly isTooLong: boolean
}

/** Follows brackets and commas outside of strings. A text that is no JSON has what these characters make of it. */
function measure(text: string, depthMax: number, itemsMax: number): Measured {
  /** Commas of each open list or object. */
  const open: number[] = []
  let isTooDeep = false
  let isTooLong = false
  for (let at = 0; at < text.length && !(isTooDeep && isTooLong); at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    // [ and {, ] and }
    else if ((code | 32) === 123) {
      open.push(1)
      if (open.length > depthMax) isTooDeep = true
      if (itemsMax === 0 && !isClosing(text, at + 1)) isTooLong = true
    } else if ((code | 32) === 125) open.pop()
    else if (code === COMMA && open.length > 0 && ++open[open.length - 1]! > itemsMax) isTooLong = true
  }
  return { isTooDeep, isTooLong }
}

/** True where a list or object ends that has nothing in it. */
function isClosing(text: string, from: number): boolean {
  let at = from
  while (text.charCodeAt(at) <= 32) at++
  return (text.charCodeAt(at) | 32) === 125
}

// Patterns of an administrator. One search is linear, but a search for all matches may not be: each match of `a.*b|a` in a
// row of `a` reads the rest of the text. A search therefore looks a bounded way ahead, and a region with too many matches
// becomes one span.

const REGION_CHARS = 16_384
/** Of one pattern in one region. The rest of a region that has more is one span. */
const MATCHES_MAX = 256

/** How far the search for one pattern is. */
interface PatternCursor {
  at: number
  /** Matches since the begin of the region in which `at` is. */
  matches: number
}

interface Pattern {
  readonly kind: string
  /**
   * Reports matches that begin at or after `cursor.at` and before `to`, and moves the cursor. `offset` is the place of the text in the
   * stream that it is a part of.
   */
  advance(text: string, offset: number, cursor: PatternCursor, to: number, spans: Span[]): void
  /** The same in what the text reads as. Places of the cursor and of what is reported are those of the text itself. */
  advanceIn(
    view: Folded,
    text: string,
    offset: number,
    cursor: PatternCursor,
    to: number,
    report: (start: number, end: number) => void,
  ): void
}

/** @throws RangeError for a pattern that cannot be searched for in linear time. */
function compilePattern({ kind, pattern: source }: NamedPattern): Pattern {
  const pattern = linearPattern(source)
  if (pattern === null)
    throw new RangeError(
      `the pattern of "${kind}" is not a valid regular expression, uses look-around or back references, or is too large`,
    )
  return {
    kind,
    advance(text, offset, cursor, to, spans) {
      // Most texts have no match, which is told far faster than where one is
      if (cursor.at === 0 && to === text.length && !pattern.test(text)) {
        cursor.at = to
        return
      }
      while (cursor.at < to) {
        const found = search(pattern, text, cursor.at)
        const next = found === null || found.start >= to ? to : found.start
        enter(cursor, offset, next)
        if (found === null || next === to) return
        const end = cursor.matches < MATCHES_MAX ? found.end : regionEnd(offset, next) - offset
        cursor.matches++
        enter(cursor, offset, Math.max(end, next + 1))
        if (end > next)
          spans.push({ start: next, end: Math.min(end, text.length), detector: 'regex', kind, confidence: 1 })
      }
    },
    advanceIn(view, text, offset, cursor, to, report) {
      if (cursor.at === 0 && to === text.length && !pattern.test(view.text)) {
        cursor.at = to
        return
      }
      while (cursor.at < to) {
        const found = search(pattern, view.text, view.placeOf(cursor.at))
        const start = found === null ? to : Math.max(cursor.at, view.startOf(found.start))
        const next = Math.min(start, to)
        enter(cursor, offset, next)
        if (found === null || next === to) return
        const end = cursor.matches < MATCHES_MAX ? view.endOf(found.end) : regionEnd(offset, next) - offset
        cursor.matches++
        enter(cursor, offset, Math.max(end, next + 1))
        if (end > next) report(next, Math.min(end, text.length))
      }
    },
  }
}

function regionEnd(offset: number, at: number): number {
  return (Math.floor((offset + at) / REGION_CHARS) + 1) * REGION_CHARS
}

/** Moves a cursor on. */
function enter(cursor: PatternCursor, offset: number, at: number): void {
  if (offset + at >= regionEnd(offset, cursor.at)) cursor.matches = 0
  cursor.at = at
}

function search(pattern: LinearPattern, text: string, from: number): { start: number; end: number } | null {
  for (let at = from; at <= text.length; at = at + REGION_CHARS) {
    const found = searchPart(pattern, text, at, at + 2 * REGION_CHARS)
    // A match that begins in the second half is looked for again, with as much text behind it
    if (found !== null && found.start < at + REGION_CHARS) return found
  }
  return null
}

/** Searches a part of a text, with the characters before it for anchors. */
function searchPart(
  pattern: LinearPattern,
  text: string,
  from: number,
  to: number,
): { start: number; end: number } | null {
  // Two: a character may be a pair of surrogates
  const base = Math.max(0, from - 2)
  const found = pattern.find(base === 0 && to >= text.length ? text : text.slice(base, to), from - base)
  if (found === null) return null
  const end = found.end + base
  // `$` fits the end of a part too: what ends there is looked for with more text behind it
  if (end === to && to < text.length && found.end - found.start < REGION_CHARS)
    return searchPart(pattern, text, found.start + base, to + REGION_CHARS)
  return { start: found.start + base, end }
}

// Finds a content that does not fit a JSON schema: one span over all of it.

/** True for a value that fits. */
export type Fits = (value: unknown) => boolean

/** The kinds: a JSON text that does not fit, and a text that is not JSON. */
type Kind = 'schema' | 'not_json'

export function schemaDetectors(fits: Fits): Detectors {
  return {
    ...compileDetectors([]),
    hasSize: true,
    find(text) {
      const kind = kindOf(text, fits)
      return kind === null ? [] : [unfit(kind, text.length)]
    },
  }
}

function unfit(kind: Kind, end: number): Span {
  return { start: 0, end, detector: 'schema', kind, confidence: 1 }
}

function kindOf(text: string, fits: Fits): Kind | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'not_json'
  }
  return fits(value) ? null : 'schema'
}
