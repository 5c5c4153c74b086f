/**
 * The settings of detectors: plain data, as a rule or a node stores them. `compile.ts` makes detectors of them, once for each
 * snapshot.
 */

export const NATIONAL_IDS = [
  'us_ssn',
  'uk_nino',
  'de_tax_id',
  'fr_nir',
  'es_dni',
  'it_codice_fiscale',
  'nl_bsn',
  'pl_pesel',
  'se_personnummer',
  'br_cpf',
  'in_aadhaar',
] as const

export const PII_KINDS = ['card', 'iban', 'email', 'phone', 'ip', ...NATIONAL_IDS] as const
export type PiiKind = (typeof PII_KINDS)[number]

export const SECRET_KINDS = [
  'postern',
  'aws',
  'google',
  'azure',
  'github',
  'gitlab',
  'slack',
  'stripe',
  'openai',
  'anthropic',
  'vendor',
  'jwt',
  'private_key',
  'connection_string',
  'named',
] as const
export type SecretKind = (typeof SECRET_KINDS)[number]

export const INJECTION_KINDS = [
  'instruction',
  'tool_instruction',
  'hidden_text',
  'exfiltration_link',
] as const
export type InjectionKind = (typeof INJECTION_KINDS)[number]

/** A built-in kind, under the detector that finds it. */
export type BuiltInKind = PiiKind | SecretKind | InjectionKind

/** A pattern of an administrator: an ECMA-262 expression as far as it is regular (`base/text/patterns.ts`). */
export interface NamedPattern {
  /** Under which spans and counts name what it finds. */
  readonly kind: string
  readonly pattern: string
}

interface Selected<Kind> {
  /** Absent: all kinds. */
  readonly kinds?: readonly Kind[]
  /** From 0 to 1; what is found with less confidence is not reported. 0.5 where absent. */
  readonly threshold?: number
  /** Texts that are never reported, such as a support address. Compared as a whole, in any case of letters. */
  readonly allow?: readonly string[]
}

export type DetectorSettings =
  | { readonly detector: 'regex'; readonly patterns: readonly NamedPattern[] }
  | ({ readonly detector: 'pii' } & Selected<PiiKind>)
  | ({ readonly detector: 'secrets' } & Selected<SecretKind>)
  | ({ readonly detector: 'injection' } & Selected<InjectionKind>)
  | ({ readonly detector: 'size' } & SizeLimits)
  | ({ readonly detector: 'webhook' } & WebhookSettings)
  /** A JSON schema that a content has to fit: whoever compiles the rule brings what judges by it. */
  | { readonly detector: 'schema'; readonly schema: Readonly<Record<string, unknown>> }

/** How texts are judged by a server beside Postern. */
export interface WebhookSettings {
  /** `presidio`: POST /analyze of a Presidio analyzer. `signed`: a request that is signed, and a verdict. */
  readonly format: 'presidio' | 'signed'
  readonly timeout_ms: number
  /** Members below are of `presidio` alone. */
  readonly language?: string
  /** Types of entities, as the analyzer names them. Absent: all that it knows. */
  readonly entities?: readonly string[]
  /** As in {@link Selected}. */
  readonly threshold?: number
  readonly allow?: readonly string[]
}

/** Limits of a text. Absent: no limit. */
export interface SizeLimits {
  /** Of the text in UTF-8. */
  readonly bytes?: number
  /** Levels of lists and objects of a JSON text. */
  readonly depth?: number
  /** Items of one list, or members of one object, of a JSON text. */
  readonly items?: number
}

export type DetectorName = DetectorSettings['detector']

export const THRESHOLD_DEFAULT = 0.5

/**
 * What stands before a value: the name of its member, and the text of the same line or member. It tells an order number from
 * a phone number, and a version from an address.
 */
const CONTEXT_CHARS = 40
/** Of the name: what it ends with tells what the value is. */
const NAME_CHARS = 64

/** In lower case, at most 40 characters of text, with the end of the name before them. */
export function contextOf(text: string, start: number, name: string): string {
  const before = text.slice(Math.max(0, start - CONTEXT_CHARS), start)
  const begun = Math.max(
    before.lastIndexOf(','),
    before.lastIndexOf(';'),
    before.lastIndexOf('{'),
    before.lastIndexOf('\n'),
  )
  return `${name.slice(-NAME_CHARS)} ${before.slice(begun + 1)}`.toLowerCase()
}

/** Words between the word that names a kind and its value: `phone_number_1: `, `call my mobile at `. */
const BETWEEN =
  'numbers?|no|nr|num|nummer|numero|número|numéro|is|ist|est|es|of|for|me|us|at|on|to|my|our|her|his|your|home|work|office|private|personal|primary|main|mobile|cell|phone|business|e164|intl|international|raw|value|s|1|2|3'

/**
 * Fits a context that ends with one of the words, with at most eight words and separators between them and the value. A word that is only part of
 * what is said, as in `phone_case_sku` and `phone_updated`, does not name the value.
 */
export function namedBy(words: string): RegExp {
  return new RegExp(`(?:${words})(?:[\\s:=#"'()\\\\/._-]{1,3}|${BETWEEN}){0,8}$`)
}

const IDS =
  'ids?|uid|uuid|guid|ref|refs|reference|job|order|order[-_ ]?n(?:o|r|um|umber)|ticket|case|campaign|channel|message|event|session|trace|span|request|correlation|batch|tracking|shipment|invoice|seq|sequence|serial|sku|ean|gtin|isbn|imei|offset|cursor|build|revision|timestamp|ts|epoch|nonce|item|product|article|stop|' +
  // Quantities
  'pos|position|rank|factor|seed|hash|checksum|balance|amount|total|sum|count|bytes|size|weight'
/** In languages whose words stand in a sentence before the id. */
const IDS_IN_PROSE =
  'vorgang|vorgangsnummer|bestellung|bestellnummer|auftrag|kundennummer|rechnung|rechnungsnummer|commande|facture|dossier|zamówieni[ea]|zgłoszeni[ea]|faktur[ay]|pedido|ticket|#'
/** Ids of people are what is looked for. */
const OF_PEOPLE = /nation|person|citizen|identi|tax|patient|passport|social|fiscal|insur/

/** Each name may have a number or a letter of its own, as in `factor_a`. */
const NUMBERED = '(?:[-_][a-z0-9]{1,2})?'
/** Goods, whose numbers are written with hyphens like those of people. */
const GOODS =
  '(?:spare[-_ ]?)?parts?|pallets?|crates?|cartons?|containers?|drawings?|lots?|batch(?:es)?|serials?|sku|models?'
const ORDERS =
  'orders?|parcels?|articles?|items?|products?|materials?|catalogu?e|shipments?|tracking|invoices?'
const NUMBER = '[-_ ]?(?:no|nr|num|numbers?|codes?|ids?)'

/** As a name behind which a colon or an equals sign stands, and as the name of a member. */
const ID = new RegExp(
  `(?:^|[^a-z])(?:${IDS})${NUMBERED}["'\\\\]{0,2} ?[:=] ?["'\\\\]{0,2}$|^(?:[^ ]{0,63}[^a-z ])?(?:${IDS})${NUMBERED} $|^[^ ]{1,63}id $`,
)
const ID_IN_PROSE = new RegExp(`(?:^|[^a-z])(?:${IDS_IN_PROSE}) ?(?:nr\\.?|no\\.?|:)? ?$`)
/** The label of a number of goods, or the name of a member. Not `parts: `, which may be the phone number of the parts department. */
const GOODS_NUMBER = new RegExp(
  `(?:^|[^a-z])(?:${GOODS}|${ORDERS})(?:${NUMBER}[.:="'\\\\# ]{0,4}|\\\\?["'] ?: ?\\\\?["'])$|^(?:[^ ]{0,63}[^a-z ])?(?:${GOODS}) $`,
)
const GOODS_ALONE = new RegExp(`(?:^|[^a-z])(?:${GOODS}) $`)

/**
 * True for a number that its context calls the id of a thing. A number without separators under such a name fits the check digits of cards and
 * people once in thirty times.
 * @param context as of {@link contextOf}
 */
export function isOfThing(context: string): boolean {
  return (ID.test(context) || ID_IN_PROSE.test(context)) && !OF_PEOPLE.test(context)
}

/** True where the context, as of {@link contextOf}, calls a number in groups that of goods: `part_no`, `Order number: `. */
export function isNumberOfGoods(context: string): boolean {
  return GOODS_NUMBER.test(context)
}

/** True directly behind a word for goods: `Pallets 616-77-4300`. */
export function isBehindGoods(context: string): boolean {
  return GOODS_ALONE.test(context)
}
