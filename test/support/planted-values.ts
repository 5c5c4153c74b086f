/**
 * Values that detectors are to find, made up from a seed: valid by the rules of their issuers, and nobody's. None stands in the sources
 * as it is, so that no scanner of sources takes it for a leak.
 */
import { type BuiltInKind, type NATIONAL_IDS, PII_KINDS, SECRET_KINDS } from '../../src/detectors/settings.ts'

/** Numbers from 0 to below 1 that follow from the seed alone (mulberry32). */
export type Random = () => number

export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function pick<Item>(random: Random, list: readonly Item[]): Item {
  return list[Math.floor(random() * list.length)]!
}

export function chars(random: Random, length: number, alphabet: string): string {
  return Array.from({ length }, () => pick(random, [...alphabet])).join('')
}

export const DIGITS = '0123456789'
const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const UPPER = LOWER.toUpperCase()
export const BASE62 = DIGITS + UPPER + LOWER
const BASE64URL = `${BASE62}-_`

const int = (random: Random, from: number, to: number): number =>
  from + Math.floor(random() * (to - from + 1))
const pad = (number: number, length: number): string => String(number).padStart(length, '0')

/** Tries until the check fits. */
function until(make: () => string, fits: (text: string) => boolean): string {
  for (;;) {
    const text = make()
    if (fits(text)) return text
  }
}

export function luhn(digits: string): boolean {
  const sum = [...digits].toReversed().reduce((total, char, index) => {
    const digit = Number(char) * (index % 2 === 0 ? 1 : 2)
    return total + (digit > 9 ? digit - 9 : digit)
  }, 0)
  return sum % 10 === 0
}

const mod97 = (text: string): bigint =>
  BigInt(text.replaceAll(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))) % 97n

const grouped = (text: string, size: number, by: string): string =>
  (text.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).join(by)

function card(random: Random): string {
  const prefix = pick(random, ['4', '51', '53', '2221', '34', '37', '6011', '62', '36'])
  const length = prefix.startsWith('3') ? (prefix === '36' ? 14 : 15) : 16
  const number = until(() => prefix + chars(random, length - prefix.length, DIGITS), luhn)
  return length === 16 ? pick(random, [number, grouped(number, 4, ' '), grouped(number, 4, '-')]) : number
}

function iban(random: Random): string {
  const [country, length] = pick(random, [
    ['DE', 22],
    ['NL', 18],
    ['FR', 27],
    ['GB', 22],
    ['PL', 28],
    ['NO', 15],
  ] as const)
  const account =
    country === 'NL' || country === 'GB'
      ? chars(random, 4, UPPER) + chars(random, length - 8, DIGITS)
      : chars(random, length - 4, DIGITS)
  const check = 98n - mod97(`${account}${country}00`)
  const whole = `${country}${pad(Number(check), 2)}${account}`
  return random() < 0.5 ? whole : grouped(whole, 4, ' ')
}

function phone(random: Random): string {
  const d = (length: number): string => chars(random, length, DIGITS)
  const n = (): string => chars(random, 1, '23456789')
  const exchange = (): string => `${n()}${chars(random, 1, '02345678')}${d(1)}`
  return pick(random, [
    () => `+49 30 ${d(7)}`,
    () => `+33 6 ${grouped(d(8), 2, ' ')}`,
    () => `+44 20 7${d(3)} ${d(4)}`,
    () => `+1 ${exchange()}-${exchange()}-${d(4)}`,
    () => `+91${chars(random, 1, '6789')}${d(9)}`,
    () => `(${exchange()}) ${exchange()}-${d(4)}`,
    () => `${exchange()}-${exchange()}-${d(4)}`,
    () => `06 ${grouped(d(8), 2, ' ')}`,
    () => `0171 ${d(7)}`,
  ])()
}

const day = (random: Random): string => pad(int(random, 1, 28), 2)
const weighted = (text: string, weights: readonly number[]): number =>
  weights.reduce((sum, weight, at) => sum + weight * Number(text[at]), 0)

function cpf(random: Random): string {
  let text = until(
    () => chars(random, 9, DIGITS),
    (nine) => new Set(nine).size > 1,
  )
  for (const length of [9, 10]) {
    const sum = weighted(
      text,
      Array.from({ length }, (_, at) => length + 1 - at),
    )
    text += String(((sum * 10) % 11) % 10)
  }
  return random() < 0.5
    ? text
    : `${text.slice(0, 3)}.${text.slice(3, 6)}.${text.slice(6, 9)}-${text.slice(9)}`
}

function germanTaxId(random: Random): string {
  // Ten digits of which one is missing and one stands twice
  const digits = [...'123456789'].toSorted(() => random() - 0.5)
  digits.splice(int(random, 1, 9), 0, pick(random, digits))
  let product = 10
  for (const digit of digits) {
    const sum = (Number(digit) + product) % 10 || 10
    product = (sum * 2) % 11
  }
  return digits.join('') + String((11 - product) % 10)
}

const ALPHABET_DNI = 'TRWAGMYFPDXBNJZSQVHLCKE'

function codiceFiscale(random: Random): string {
  const consonants = 'BCDFGLMNPRSTV'
  const body =
    chars(random, 6, consonants) +
    pad(int(random, 30, 99), 2) +
    chars(random, 1, 'ABCDEHLMPRST') +
    day(random) +
    chars(random, 1, 'ABCDEFGH') +
    chars(random, 3, DIGITS)
  const odd = '1 0 5 7 9 13 15 17 19 21 2 4 18 20 11 3 6 8 12 14 16 10 22 25 24 23'.split(' ').map(Number)
  const value = (char: string): number => (/\d/.test(char) ? Number(char) : char.charCodeAt(0) - 65)
  const sum = [...body].reduce(
    (total, char, at) => total + (at % 2 === 0 ? odd[value(char)]! : value(char)),
    0,
  )
  return body + String.fromCharCode(65 + (sum % 26))
}

function verhoeff(text: string): boolean {
  const permuted =
    '0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258'.split(' ')
  const multiplied =
    '0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210'.split(
      ' ',
    )
  return (
    [...text]
      .toReversed()
      .reduce((check, char, at) => Number(multiplied[check]![Number(permuted[at % 8]![Number(char)])]), 0) ===
    0
  )
}

/** A value, and the name of a member that it could stand under. */
export interface Planted {
  readonly kind: BuiltInKind
  readonly name: string
  readonly value: string
}

const NATIONAL: Readonly<Record<(typeof NATIONAL_IDS)[number], (random: Random) => [string, string]>> = {
  us_ssn: (random) => [
    'ssn',
    `${pad(int(random, 1, 665), 3)}-${pad(int(random, 1, 99), 2)}-${pad(int(random, 1, 9999), 4)}`,
  ],
  uk_nino: (random) => [
    'ni_number',
    `${pick(random, ['AB', 'CE', 'JG', 'PX', 'WM'])}${chars(random, 6, DIGITS)}${chars(random, 1, 'ABCD')}`,
  ],
  de_tax_id: (random) => ['tax_id', germanTaxId(random)],
  fr_nir: (random) => {
    const body = `${int(random, 1, 2)}${pad(int(random, 40, 99), 2)}${pad(int(random, 1, 12), 2)}${pad(int(random, 21, 95), 2)}${chars(random, 6, DIGITS)}`
    return ['nir', body + pad(97 - (Number(body) % 97), 2)]
  },
  es_dni: (random) => {
    const number = int(random, 1_000_000, 99_999_999)
    return ['dni', `${pad(number, 8)}${ALPHABET_DNI[number % 23]}`]
  },
  it_codice_fiscale: (random) => ['codice_fiscale', codiceFiscale(random)],
  nl_bsn: (random) => [
    'bsn',
    until(
      () => chars(random, 9, '123456789'),
      (text) => weighted(text, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
    ),
  ],
  pl_pesel: (random) => [
    'pesel',
    until(
      () =>
        `${pad(int(random, 40, 99), 2)}${pad(int(random, 1, 12), 2)}${day(random)}${chars(random, 5, DIGITS)}`,
      (text) => weighted(text, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
    ),
  ],
  se_personnummer: (random) => {
    const digits = until(
      () =>
        `${pad(int(random, 40, 99), 2)}${pad(int(random, 1, 12), 2)}${day(random)}${chars(random, 4, DIGITS)}`,
      luhn,
    )
    return ['personnummer', `${digits.slice(0, 6)}-${digits.slice(6)}`]
  },
  br_cpf: (random) => ['cpf', cpf(random)],
  in_aadhaar: (random) => [
    'aadhaar',
    grouped(
      until(() => chars(random, 1, '23456789') + chars(random, 11, DIGITS), verhoeff),
      4,
      ' ',
    ),
  ],
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const withDigit = (random: Random, length: number, alphabet: string): string =>
  until(
    () => chars(random, length, alphabet),
    (text) => /\d/.test(text),
  )

const SECRETS: Readonly<Record<(typeof SECRET_KINDS)[number], (random: Random) => [string, string]>> = {
  postern: (random) => [
    'key',
    `pst_${pick(random, ['pk', 'ht', 'at', 'pt'])}_${chars(random, 12, BASE62)}_${chars(random, 43, BASE62)}_${chars(random, 6, BASE62)}`,
  ],
  aws: (random) => [
    'access_key_id',
    `${pick(random, ['AKIA', 'ASIA'])}${chars(random, 16, `${UPPER}234567`)}`,
  ],
  google: (random) => ['key', `AIza${chars(random, 34, BASE64URL)}${chars(random, 1, BASE62)}`],
  azure: (random) => [
    'value',
    `${chars(random, 3, BASE62)}${chars(random, 1, DIGITS)}Q~${chars(random, 34, BASE62)}`,
  ],
  github: (random) =>
    random() < 0.5
      ? ['value', `ghp_${chars(random, 36, BASE62)}`]
      : ['value', `github_pat_${chars(random, 22, BASE62)}_${chars(random, 59, BASE62)}`],
  gitlab: (random) => ['value', `glpat-${withDigit(random, 20, BASE62)}`],
  slack: (random) => [
    'value',
    `xoxb-${chars(random, 12, DIGITS)}-${chars(random, 12, DIGITS)}-${chars(random, 24, BASE62)}`,
  ],
  stripe: (random) => [
    'value',
    `${pick(random, ['sk', 'rk'])}_${pick(random, ['live', 'test'])}_${chars(random, 24, BASE62)}`,
  ],
  openai: (random) => ['value', `sk-${pick(random, ['', 'proj-'])}${withDigit(random, 48, BASE62)}`],
  anthropic: (random) => ['value', `sk-ant-api03-${withDigit(random, 93, BASE62)}AA`],
  vendor: (random) => [
    'value',
    pick(random, [
      `npm_${chars(random, 36, BASE62)}`,
      `hf_${chars(random, 34, BASE62)}`,
      `SG.${chars(random, 22, BASE62)}.${chars(random, 43, BASE62)}`,
    ]),
  ],
  jwt: (random) => [
    'value',
    `${base64url({ alg: 'RS256', kid: chars(random, 8, BASE62) })}.${base64url({ sub: chars(random, 10, BASE62), exp: int(random, 1e9, 2e9) })}.${chars(random, 86, BASE64URL)}`,
  ],
  private_key: (random) => [
    'pem',
    `-----BEGIN ${pick(random, ['', 'RSA ', 'EC '])}PRIVATE KEY-----\n${grouped(chars(random, 400, BASE62), 64, '\n')}\n-----END PRIVATE KEY-----`,
  ],
  connection_string: (random) => [
    'dsn',
    `${pick(random, ['postgres', 'mysql', 'redis', 'amqps', 'mongodb+srv'])}://app:${chars(random, 14, BASE62)}@db.internal:5432/orders`,
  ],
  named: (random) =>
    pick(random, [
      ['password', withDigit(random, 12, `${BASE62}!%+`)],
      [
        'api_key',
        until(
          () => chars(random, 32, BASE62),
          (text) => /\d/.test(text) && /[a-z]/i.test(text),
        ),
      ],
      ['client_secret', withDigit(random, 40, BASE62)],
    ]),
}

/** A value of a kind of personal data or secrets. */
export function planted(
  random: Random,
  kind: (typeof PII_KINDS)[number] | (typeof SECRET_KINDS)[number],
): Planted {
  const [name, value] = make(random, kind)
  return { kind, name, value }
}

function make(random: Random, kind: string): [string, string] {
  if (kind in NATIONAL) return NATIONAL[kind as keyof typeof NATIONAL](random)
  if (kind in SECRETS) return SECRETS[kind as keyof typeof SECRETS](random)
  switch (kind) {
    case 'card':
      return ['number', card(random)]
    case 'iban':
      return ['account', iban(random)]
    case 'email':
      return [
        'contact',
        `${chars(random, 6, LOWER)}.${chars(random, 5, LOWER)}${int(random, 1, 99)}@${pick(random, ['example.com', 'mail.example.org', 'example.co.uk'])}`,
      ]
    case 'phone':
      return ['reach', phone(random)]
    default: {
      const groups = (): string => int(random, 1, 0xffff).toString(16)
      return random() < 0.7
        ? [
            'origin',
            `${int(random, 11, 120)}.${int(random, 0, 255)}.${int(random, 0, 255)}.${int(random, 1, 254)}`,
          ]
        : ['origin', `2001:db8:${groups()}:${groups()}::${groups()}`]
    }
  }
}

export const PLANTED_KINDS = [...PII_KINDS, ...SECRET_KINDS] as const

const eachDigit = (value: string, spelt: (digit: string) => string): string =>
  value.replaceAll(/[0-9]/g, (digit) => spelt(digit))
const hex = (digit: string): string => digit.charCodeAt(0).toString(16)
const between = (value: string, gap: string): string => grouped(value.replaceAll(/\D/g, ''), 4, gap)

/** Ways to spell the digits of a number that servers read as these digits, and filters may not. */
export const SPELLINGS: Readonly<Record<string, (value: string) => string>> = {
  'full width': (value) => eachDigit(value, (digit) => String.fromCharCode(0xfee0 + digit.charCodeAt(0))),
  'digits of another script': (value) =>
    eachDigit(value, (digit) => String.fromCharCode(0x630 + digit.charCodeAt(0))),
  'mathematical digits': (value) =>
    eachDigit(value, (digit) => String.fromCodePoint(0x1d7e2 + Number(digit))),
  'zero width between digits': (value) => eachDigit(value, (digit) => `${digit}\u200b`),
  'soft hyphens': (value) => eachDigit(value, (digit) => `\u00ad${digit}`),
  'a byte order mark between digits': (value) => eachDigit(value, (digit) => `${digit}\ufeff`),
  'wide spaces and dashes': (value) => value.replaceAll(' ', '\u3000').replaceAll('-', '\u2011'),
  escapes: (value) => eachDigit(value, (digit) => `\\u00${hex(digit)}`),
  'escapes, escaped twice': (value) => eachDigit(value, (digit) => `\\\\\\u00${hex(digit)}`),
  'short escapes': (value) => eachDigit(value, (digit) => `\\x${hex(digit)}`),
  'percent-encoding': (value) => eachDigit(value, (digit) => `%${hex(digit)}`),
  'percent-encoding, twice': (value) => eachDigit(value, (digit) => `%25${hex(digit)}`),
  'percent-encoding of full width': (value) =>
    encodeURIComponent(SPELLINGS['full width']!(value)).replaceAll('%20', ' '),
  'character references': (value) => eachDigit(value, (digit) => `&#${digit.charCodeAt(0)};`),
  'character references, escaped': (value) => eachDigit(value, (digit) => `&amp;#x${hex(digit)};`),
  'an escape within an escape': (value) => eachDigit(value, (digit) => `\\u0025${hex(digit)}`),
}

/** Ways to part the groups of a card of 16 digits. */
export const PARTINGS: Readonly<Record<string, (value: string) => string>> = Object.fromEntries(
  Object.entries({ dots: '.', slashes: '/', 'double spaces': '  ', 'spaced hyphens': ' - ' }).map(
    ([name, gap]) => [name, (value: string) => between(value, gap)],
  ),
)
