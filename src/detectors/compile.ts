/** Compiles detectors from settings: once for each snapshot, never for a request. */
import { type Folded, foldedOf, unescapedOf } from './folded.ts'
import { compilePattern, enter, type PatternCursor } from './regex.ts'
import { scanBeyondAscii, scanFor, type Wanted } from './scan.ts'
import { namedValue } from './secrets/named.ts'
import {
  type BuiltInKind,
  type DetectorName,
  type DetectorSettings,
  INJECTION_KINDS,
  NATIONAL_IDS,
  PII_KINDS,
  SECRET_KINDS,
  THRESHOLD_DEFAULT,
} from './settings.ts'
import { sizeSpans } from './size.ts'
import type { Found, Span } from './span.ts'

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
