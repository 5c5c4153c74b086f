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
