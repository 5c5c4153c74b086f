/**
 * Numbers written in digits: cards, phone numbers, national ids, IPv4 addresses. A number is read as groups of digits with one
 * separator between them, or up to three of them, which cards alone may have. The lengths of the groups select what it can be, so most
 * numbers are left at once.
 */
import { codeAt, type Found, goesOn, isContinued, isDigit, isWord } from '../chars.ts'
import {
  type BuiltInKind,
  contextOf,
  isBehindGoods,
  isNumberOfGoods,
  isOfThing,
  namedBy,
  type PiiKind,
} from '../settings.ts'
import { type Digits, isCard } from './card.ts'
import {
  isAadhaar,
  isCpf,
  isDutchBsn,
  isFrenchNir,
  isGermanTaxId,
  isPersonnummer,
  isPesel,
  isUsSsn,
} from './national-ids.ts'
import { isNationalPhone, isNorthAmerican } from './phone.ts'

/** A card may be written digit by digit. */
const GROUPS_MAX = 19
/** Of all other numbers. */
const GROUPS_OF_SHAPE_MAX = 8
/** Characters between two groups. */
export const GAP_MAX = 3
/** A separator of several characters: no other number than a card is taken apart so. */
const WIDE = 128
const DIGITS_MAX = 19
/** Shorter numbers are nothing that is looked for, but for IPv4 addresses. */
export const DIGITS_MIN = 7
const PHONE_DIGITS_MAX = 15
const CARD_DIGITS_MIN = 14
/** Confidence where the context names the kind. */
const NAMED = 0.9
/** Confidence where the context says that it is something else: below the default of what counts. */
const UNSURE = 0.4

/** One way to write a number. */
interface Form {
  readonly kind: PiiKind
  /** What may stand between the groups, all the same but where `joints` is given. */
  readonly separators: string
  /** The very separators, one after another. */
  readonly joints?: string
  readonly fits: (digits: Digits, total: number) => boolean
  /** Without a context. */
  readonly confidence: number
  /** What raises the confidence to 0.9 where it stands before the number. */
  readonly context?: RegExp
}

const CARD = /card|\bpan\b|karte|carte|tarjeta/
const SSN = namedBy('ssn|social.{0,3}security')
const BSN = namedBy('bsn|burgerservice(?:nummer)?|sofi')
const PESEL = namedBy('pesel')
const PERSONNUMMER = namedBy('person.?n(?:umme)?r|samordning(?:snummer)?')
const AADHAAR = namedBy('aadh?aar|\\buid(?:ai)?')
const CPF = namedBy('cpf')
const TAX_ID = namedBy(
  'tax.?(?:payer.?)?id(?:entification)?|steuer.{0,3}id(?:entifikationsnummer)?|steuer(?:nummer)?|\\btin|idnr',
)
const PHONE = namedBy(
  'tele(?:ph|f)one?|phone|mobile?|\\bcell|\\bfax|\\btel|telef(?:on[aeo]?|oon)|t[eé]l[eé]phone|whatsapp|handy|\\bsms|msisdn|contact.?n(?:umber|o|r)',
)

/** Any separators, however many and mixed. */
const ANY = 'any'
const isCall = (digits: Digits, total: number): boolean => isNationalPhone(digits, total)

/** Forms by the lengths of their groups. Of several forms the one with the highest confidence counts. */
const FORMS: Readonly<Record<string, readonly Form[]>> = {
  // Of 17 to 19 digits hardly any card is left, and many numbers of other things
  ...forAll(['17', '18', '19'], {
    kind: 'card',
    separators: '',
    fits: isCard,
    confidence: 0.4,
    context: CARD,
  }),
  ...forAll(['14', '15', '16'], {
    kind: 'card',
    separators: '',
    fits: isCard,
    confidence: 0.9,
    context: CARD,
  }),
  ...forAll(['4 4 4 4', '4 6 5', '4 6 4', '4 4 4 4 3'], {
    kind: 'card',
    separators: ANY,
    fits: isCard,
    confidence: 0.95,
  }),
  '3 2 4': [
    { kind: 'us_ssn', separators: '-', fits: isUsSsn, confidence: 0.8, context: SSN },
    // Columns of numbers too
    { kind: 'us_ssn', separators: ' ', fits: isUsSsn, confidence: UNSURE, context: SSN },
  ],
  '9': [
    { kind: 'us_ssn', separators: '', fits: isUsSsn, confidence: 0.1, context: SSN },
    { kind: 'nl_bsn', separators: '', fits: isDutchBsn, confidence: 0.3, context: BSN },
  ],
  '4 2 3': [{ kind: 'nl_bsn', separators: '.', fits: isDutchBsn, confidence: 0.7, context: BSN }],
  '11': [
    { kind: 'de_tax_id', separators: '', fits: isGermanTaxId, confidence: 0.6, context: TAX_ID },
    { kind: 'pl_pesel', separators: '', fits: isPesel, confidence: 0.55, context: PESEL },
    { kind: 'br_cpf', separators: '', fits: isCpf, confidence: 0.55, context: CPF },
  ],
  '2 3 3 3': [{ kind: 'de_tax_id', separators: ' ', fits: isGermanTaxId, confidence: 0.85, context: TAX_ID }],
  '3 3 3 2': [{ kind: 'br_cpf', separators: '', joints: '..-', fits: isCpf, confidence: 0.95 }],
  '12': [
    { kind: 'in_aadhaar', separators: '', fits: isAadhaar, confidence: 0.3, context: AADHAAR },
    { kind: 'se_personnummer', separators: '', fits: isPersonnummer, confidence: 0.3, context: PERSONNUMMER },
  ],
  '4 4 4': [{ kind: 'in_aadhaar', separators: ' -', fits: isAadhaar, confidence: 0.7, context: AADHAAR }],
  '10': [
    { kind: 'se_personnummer', separators: '', fits: isPersonnummer, confidence: 0.2, context: PERSONNUMMER },
  ],
  ...forAll(['6 4', '8 4'], {
    kind: 'se_personnummer',
    separators: '-',
    fits: isPersonnummer,
    confidence: 0.7,
    context: PERSONNUMMER,
  }),
  ...forAll(['1 2 2 2 3 3 2', '13 2'], {
    kind: 'fr_nir',
    separators: ' ',
    fits: (digits) => isFrenchNir(digits),
    confidence: 0.95,
  }),
  '3 3 4': [
    { kind: 'phone', separators: '-.', fits: isNorthAmerican, confidence: 0.75 },
    { kind: 'phone', separators: ' ', fits: isNorthAmerican, confidence: 0.6, context: PHONE },
  ],
  '1 3 3 4': [{ kind: 'phone', separators: '-. ', fits: isNorthAmerican, confidence: 0.75 }],
  '2 2 2 2 2': [{ kind: 'phone', separators: ' .-', fits: isCall, confidence: 0.75 }],
}

/** 15 digits are an NIR too. */
const SOLID_NIR: Form = {
  kind: 'fr_nir',
  separators: '',
  fits: (digits) => isFrenchNir(digits),
  confidence: 0.8,
}
/** A number behind a word for phones, however it is grouped. */
const BEHIND_PHONE: Form = {
  kind: 'phone',
  separators: ' -./',
  fits: isNoDate,
  confidence: 0.1,
  context: PHONE,
}
/** A card behind a word for cards, however it is grouped. */
const BEHIND_CARD: Form = { kind: 'card', separators: ANY, fits: isCard, confidence: 0.1, context: CARD }
/** A trunk prefix 0, an area and a number, as in Germany, Italy, the United Kingdom. */
const WITH_TRUNK: Form = { kind: 'phone', separators: ' -/', fits: isCall, confidence: 0.6, context: PHONE }

function forAll(shapes: readonly string[], form: Form): Record<string, Form[]> {
  return Object.fromEntries(shapes.map((shape) => [shape, [form]]))
}

/** Lengths of groups as one number: base 32, first group lowest. */
const BY_SHAPE: ReadonlyMap<number, readonly Form[]> = new Map(
  Object.entries(FORMS).map(([shape, forms]) => {
    const key = shape.split(' ').reduceRight((sum, length) => sum * 32 + Number(length), 0)
    return [key, shape === '15' ? [...forms, SOLID_NIR] : forms]
  }),
)

// The digits of one number. Threads share no module, and nothing here waits, so one place is enough
const digits = new Uint8Array(DIGITS_MAX + 32)
const lengths = new Uint8Array(GROUPS_MAX)
const ends = new Int32Array(GROUPS_MAX)
/** Before each group. */
const separators = new Uint8Array(GROUPS_MAX)
let groups = 0

/** Reads the groups that begin at `start`; those after the first that are too many, or part of a word, are left out. */
function readGroups(text: string, start: number): void {
  let at = start
  let total = 0
  groups = 0
  for (;;) {
    const begun = at
    let code = codeAt(text, at)
    for (; isDigit(code); code = codeAt(text, ++at)) {
      if (at - begun > DIGITS_MAX) return
      digits[total + at - begun] = code - 48
    }
    if (isWord(code) || total + at - begun > DIGITS_MAX) return
    total += at - begun
    lengths[groups] = at - begun
    ends[groups++] = at
    if (groups === GROUPS_MAX || !isSeparator(code)) return
    const next = behindGap(text, at)
    if (next < 0) return
    separators[groups] = (code === 160 ? 32 : code) | (next - at > 1 ? WIDE : 0)
    at = next
  }
}

/** The place of the digit behind at most three separators that begin at `from`; -1 where there is none. */
function behindGap(text: string, from: number): number {
  for (let at = from + 1; at - from <= GAP_MAX; at++) {
    const code = codeAt(text, at)
    if (isDigit(code)) return at
    if (!isSeparator(code)) return -1
  }
  return -1
}

/** A space, a no-break space, and `-`, `.`, `/`. */
function isSeparator(code: number): boolean {
  return code === 32 || (code >= 45 && code <= 47) || code === 160
}

/** The least confidence with which a kind is reported; more than 1 for one that is not looked for. */
export type Thresholds = (kind: BuiltInKind) => number

/** Where a number stands. */
interface Place {
  readonly text: string
  readonly start: number
  readonly name: string
  readonly thresholds: Thresholds
  /** What stands before the number; null until it is asked for. */
  context: string | null
}

/**
 * What the number is that begins at `start`, with a digit at the begin of a word: the surest of what its groups, from the first on, can
 * be, then the longest.
 */
export function numberFrom(text: string, start: number, name: string, thresholds: Thresholds): Found | null {
  if (isContinued(text, start)) return null
  readGroups(text, start)
  if (groups === 0) return null
  const address = addressOf(text, start, name)
  if (address !== null && address.confidence >= thresholds('ip')) return address
  const place: Place = { text, start, name, thresholds, context: null }
  let best: Found | null = null
  for (let count = groups; count > 0; count--) best = better(best, formOf(place, count))
  return best
}

function formOf(place: Place, count: number): Found | null {
  let total = 0
  let shape = 0
  for (let group = count - 1; group >= 0; group--) {
    total += lengths[group]!
    shape = shape * 32 + lengths[group]!
  }
  if (total < DIGITS_MIN || goesOn(place.text, ends[count - 1]!)) return null
  let best: Found | null = null
  const forms = count > GROUPS_OF_SHAPE_MAX ? undefined : BY_SHAPE.get(shape)
  if (forms !== undefined) for (const form of forms) best = better(best, judged(form, place, count, total))
  if (best !== null && best.confidence >= 0.5) return best
  if (count > 1 && total >= CARD_DIGITS_MIN && total <= DIGITS_MAX)
    best = better(best, judged(BEHIND_CARD, place, count, total))
  if (count > GROUPS_OF_SHAPE_MAX) return best
  if (digits[0] === 0 && count > 1 && hasTrunk(count))
    best = better(best, judged(WITH_TRUNK, place, count, total))
  return total > PHONE_DIGITS_MAX ? best : better(best, judged(BEHIND_PHONE, place, count, total))
}

function better(one: Found | null, other: Found | null): Found | null {
  return one === null || (other !== null && other.confidence > one.confidence) ? other : one
}

function judged(form: Form, place: Place, count: number, total: number): Found | null {
  const { text, start, name, thresholds } = place
  const threshold = thresholds(form.kind)
  if (threshold > 1 || !isJoinedBy(form, count) || !form.fits(digits, total)) return null
  const end = ends[count - 1]!
  place.context ??= contextOf(text, start, name)
  let { confidence } = form
  if (form.context?.test(place.context) === true) confidence = Math.max(NAMED, confidence)
  else if (isElse(form, place, count, end)) confidence = Math.min(UNSURE, confidence)
  return confidence < threshold ? null : { start, end, kind: form.kind, confidence }
}

/** True where what stands around the number says that it is something else. */
function isElse(form: Form, { text, start, context }: Place, count: number, end: number): boolean {
  if (count === 1) return isOfThing(context!) || isInListOfThings(text, start)
  if (form.kind === 'card') return false
  // These have no check digit
  if ((form.kind === 'us_ssn' || form.kind === 'phone') && isNumberOfGoods(context!)) return true
  if (form.kind === 'us_ssn' && isBehindGoods(context!)) return true
  return separators[1] === 32 && isInRow(text, start, end)
}

/** Characters of a list before one of its numbers that are looked at. */
const LIST_MAX = 192

/** True for a number of a list of numbers that is called one of ids of things: `"order_ids":[1,2]`. */
function isInListOfThings(text: string, start: number): boolean {
  const from = Math.max(0, start - LIST_MAX)
  for (let at = start - 1; at >= from; at--) {
    const code = codeAt(text, at)
    if (code === 91) return isOfThing(contextOf(text, at, ''))
    if (!isDigit(code) && code !== 44 && code !== 34 && code !== 32 && code !== 10) return false
  }
  return false
}

/** False for `2026-11-25`, `25.11.2026` and the like, and for the digits of times since 1970. */
function isNoDate(all: Digits, total: number): boolean {
  const isYearFirst = lengths[0] === 4 && lengths[1]! <= 2
  const isYearLast = lengths[0]! <= 2 && lengths[1]! <= 2 && lengths[2] === 4
  if (!isYearFirst && !isYearLast) return true
  const at = isYearFirst ? 0 : lengths[0]! + lengths[1]!
  const century = all[at]! * 10 + all[at + 1]!
  return total > 8 || (century !== 19 && century !== 20)
}

/** True for groups with spaces between them that stand in a row of further numbers. */
function isInRow(text: string, start: number, end: number): boolean {
  const isBefore = codeAt(text, start - 1) === 32 && isDigit(codeAt(text, start - 2))
  return isBefore || (codeAt(text, end) === 32 && isDigit(codeAt(text, end + 1)))
}

function isJoinedBy({ separators: allowed, joints }: Form, count: number): boolean {
  if (allowed === ANY) return true
  for (let group = 1; group < count; group++) {
    const separator = separators[group]!
    if (joints === undefined ? separator !== separators[1] : separator !== joints.charCodeAt(group - 1))
      return false
  }
  return count === 1 || joints !== undefined || allowed.includes(String.fromCharCode(separators[1]!))
}

/** `030 12345678`, `0171/2345678`, `020 7946 0958`, `01632 960 001`. */
function hasTrunk(count: number): boolean {
  const [first, second, third] = [lengths[0]!, lengths[1]!, lengths[2]!]
  if (first < 3 || first > 5) return false
  if (count === 2) return second >= 5 && second <= 8
  return count === 3 && second >= 3 && second <= 4 && third >= 3 && third <= 4
}

/** Before versions of programs, which look like addresses. */
const VERSION = /(?:version|release|build|firmware|revision|(?:^|[^a-z])(?:v|ver|rev|agent|oid))["'\s:=(]*$/
const VERSION_NAME = /version|release|build|firmware|revision|agent/i
const ADDRESS = /(^|[^a-z])ip([^a-z]|$)|addr|host|peer|server|remote|client|source|dns|gateway/

/** An IPv4 address, unless it is a version, or belongs to no machine: unspecified, loopback, broadcast. */
function addressOf(text: string, start: number, name: string): Found | null {
  if (groups < 4) return null
  for (let group = 1; group < 4; group++) if (separators[group] !== 46) return null
  const end = ends[3]!
  if (goesOn(text, end)) return null
  let at = 0
  let isSmall = true
  const octets = [0, 0, 0, 0]
  for (let group = 0; group < 4; group++) {
    const length = lengths[group]!
    if (length > 3 || (length > 1 && digits[at] === 0)) return null
    for (let digit = 0; digit < length; digit++) octets[group] = octets[group]! * 10 + digits[at++]!
    if (octets[group]! > 255) return null
    if (octets[group]! > 9) isSmall = false
  }
  const [first, second] = octets
  if (first === 0 || first === 127 || first === 255) return null
  // A program and its version: Chrome/120.0.0.0
  if (text[start - 1] === '/' && isWord(codeAt(text, start - 2))) return null
  const before = contextOf(text, start, '')
  if (VERSION.test(before) || VERSION_NAME.test(name)) return null
  if (isPrivate(first!, second!)) return { start, end, kind: 'ip', confidence: UNSURE }
  if (ADDRESS.test(before) || ADDRESS.test(name.toLowerCase()))
    return { start, end, kind: 'ip', confidence: 0.95 }
  // postern@1.20.30.40
  const isUnsure = isSmall || octets[3] === 0 || text[start - 1] === '@'
  return { start, end, kind: 'ip', confidence: isUnsure ? 0.4 : 0.8 }
}

/** Of a private network (RFC 1918), of a carrier's (RFC 6598) or of one link (RFC 3927): these lead to nobody from outside. */
function isPrivate(first: number, second: number): boolean {
  if (first === 10 || (first === 192 && second === 168) || (first === 169 && second === 254)) return true
  return (first === 172 && (second & 0xf0) === 16) || (first === 100 && (second & 0xc0) === 64)
}
