import { isPlain } from '../json/storable.ts'

/** What stands in the place of a secret. */
export const MASKED = '[secret]'

/** Names of keys that are secrets. */
const KEYS =
  '(?:api|private|secret|access|signing|signature|subscription|auth|master|encryption|application|functions?)[-_]?key'
const WORDS = 'password|passwd|passphrase|passcode|pwd|secret|token|assertion'

/** What follows in the names of form fields, such as `user[password]` and `password[0]`. */
const NEST_END = String.raw`(?:\]|\[\d{0,9}\])?`

/** Ends of names under which secrets stand. The name of a key, its id and a token's lifetime are none. */
const SECRET_NAME = new RegExp(
  `(?:(^|[-_. [])(authorization|cookie|jwt|bearer|${WORDS}|${KEYS})|(password|passphrase|secret|token|apikey))${NEST_END}$`,
  'i',
)
/** Characters of a name that are looked at: what it is of stands at its end. */
const NAME_END_CHARS = 128

/** True for the name of a member, header or parameter that holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.slice(-NAME_END_CHARS).trimEnd())
}

/** A name, the bracket around it and what may stand in brackets after it, its quotation mark in JSON within JSON, and what parts it from its value. */
const NAMED = String.raw`(?:${WORDS}|(?:user|device)_code|code_verifier|x-(?:amz|goog)-signature|${KEYS}|[?&;#](?:code|sig|signature|key|auth))(?:\]|%5D)?(?:\[\w{0,20}\]|%5B\w{0,20}%5D)?\\{0,8}["']?(?:\s{0,8}(?:=>|[:=])\s{0,8}|>(?=[^\s<]))`

/** Each with what it is replaced by. None looks further than once over the text from any place where it may begin. */
const SHAPES: readonly (readonly [form: RegExp, instead: string])[] = [
  // Of this gateway
  [/(?<![0-9A-Za-z])pst_[a-z]{2}_[0-9A-Za-z_]{8,}/g, MASKED],
  // Signed tokens (RFC 7515)
  [/(?<![0-9A-Za-z_-])eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*){0,3}/g, MASKED],
  // Private keys in PEM (RFC 7468), with headers or without; one without an end is cut off
  [
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
    MASKED,
  ],
  // Whole header lines: of credentials and cookies any part may be secret
  [
    /((?:authorization|cookie)\\{0,8}["']?\s{0,8}[:=]\s{0,8}\\{0,8}["']?)(?!\[secret\]|\{\{|\$\{|[{[])[^\r\n"'\\&<>]+/gi,
    `$1${MASKED}`,
  ],
  // A header's credentials (RFC 9110 section 11.4); a word of a sentence has no digit
  [/\b(bearer|basic|apikey|digest|token)(\s+)(?=[^\s"',;]*[0-9=])[\w.~+/=-]{8,}/gi, `$1$2${MASKED}`],
  // Keys that say whose they are
  [
    /(?<![\w.-])((gh[pousr]|github_pat|glpat|xox[abeprs]|sk|rk|whsec|hvs|npm|dop_v1)[_.-](?=[\w.-]*[0-9])[\w.-]{16,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,})/g,
    MASKED,
  ],
  // User and password in a URL (RFC 3986 section 3.2.1), in JSON too
  [/(:\\{0,8}\/\\{0,8}\/)[^\s/?#"'<>\\]+@/g, `$1${MASKED}@`],
  // Members by their names, to the end of their quotation; what is one {{ }} or ${ } is no literal
  [
    new RegExp(
      String.raw`(${NAMED})(\\{0,8})(["'])(?!\[secret\]|\2\3|(?:\{\{[^{}"'\\]{0,200}\}\}|\$\{[^{}"'\\]{0,200}\})\2\3)[\s\S]*?(?:(?<!\\)\2\3|$)`,
      'gi',
    ),
    `$1$2$3${MASKED}$2$3`,
  ],
  // Form fields and parameters by their names
  [
    new RegExp(
      String.raw`(${NAMED}(?:[|>][-+]?\s{1,40})?)(?!\[|\{\{|\$\{|\{\\{0,8}["'\s}])[^\s"'&,;<>\\]+`,
      'gi',
    ),
    `$1${MASKED}`,
  ],
]

/** One of these is in every text that one of the forms fits: most texts are looked over once. */
const MAYBE =
  /pst_|eyJ|-----|bearer|basic|digest|token|auth|cookie|pass|pwd|secret|assertion|key|\/\\{0,8}\/|_code|code_|signature|[?&;#](code|sig)|(gh[pousr]|github_pat|glpat|xox[abeprs]|[sr]k|whsec|hvs|npm|dop_v1)[_.-]|AKIA|AIza/i

/** A text without what looks like a secret: tokens, private keys, credentials of a header or URL. */
export function maskText(text: string): string {
  if (!MAYBE.test(text)) return text
  let masked = text
  for (const [form, instead] of SHAPES) masked = masked.replace(form, instead)
  return masked
}

/** Lists and objects within each other. What lies deeper is masked as a whole. */
const DEPTH_MAX = 32

/**
 * A JSON value without secrets: members with the name of a secret are masked as a whole, and texts lose what looks like a token, a key
 * or a credential. Names of members are texts too.
 */
export function maskValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskText(value)
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value))
    return depth === DEPTH_MAX ? MASKED : value.map((item) => maskValue(item, depth + 1))
  if (!isPlain(value)) return null
  if (depth === DEPTH_MAX) return MASKED
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      maskText(name),
      isSecretName(name) && inner !== null && inner !== '' ? MASKED : maskValue(inner, depth + 1),
    ]),
  )
}

/** None of the characters of a URL (RFC 3986, section 2), or a backslash, which URL parsers take for a slash. */
const STRANGE = /[^!-[\]-~]/u
/** Two slashes, and a host that is not written in escapes (`%61`), which URL parsers decode. */
const WEB_HOST = /^https?:\/\/[^%/?#]+(?:[/?#]|$)/i

/**
 * Why a URL could lead elsewhere than it reads; null when it leads where it reads. URL parsers drop invisible
 * characters, map look-alikes to ASCII and complete missing slashes (UTS #46; WHATWG URL, section 4.4), so a person who
 * approves the text would see another host than the one that is called.
 */
export function urlTextFault(text: string): string | null {
  const strange = STRANGE.exec(text)?.[0]
  if (strange !== undefined) {
    const code = strange.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
    return `a URL in ASCII: U+${code} must be written in Punycode (xn--...) in a host, and %-encoded elsewhere`
  }
  if (/^https?:/i.test(text) && !WEB_HOST.test(text))
    return 'a URL with // before its host, and no % in the host'
  return null
}

/** The text without slashes at its end. A regular expression for it would take quadratically long for slashes before it. */
export function withoutEndSlashes(text: string): string {
  let end = text.length
  while (text[end - 1] === '/') end--
  return text.slice(0, end)
}

/**
 * A URL with parameters behind those that it has (RFC 6749 section 3.1). The query of the URL keeps its bytes, apart from parameters of
 * the same names: each parameter is sent once, with the value given here.
 * @param url absolute, without fragment @param parameters by name
 */
export function withQuery(url: string, parameters: Readonly<Record<string, string>>): URL {
  const [base = '', query = ''] = url.split(/\?(.*)/s)
  const kept = query.split('&').filter((part) => part !== '' && !Object.hasOwn(parameters, nameIn(part)))
  const added = new URLSearchParams(parameters).toString()
  return new URL(`${base}?${[...kept, added].filter((part) => part !== '').join('&')}`)
}

/** The decoded name of one `name=value`. */
function nameIn(part: string): string {
  const [name = ''] = new URLSearchParams(part).keys()
  return name
}

// Makes characters visible that a screen shows as nothing, as a blank or as a change of direction, so that two values
// that differ never look alike and no value looks like another one. Every value that a person reads before deciding
// goes through one of these functions.

/** Control, format, private and unassigned characters, blanks other than the space, and letters without a shape. */
const UNSEEN_CLASS = '[[\\p{C}\\p{Z}\\p{Default_Ignorable_Code_Point}\\u2800\\u{16fe4}\\u{1d159}]--[ ]]'
const UNSEEN = new RegExp(UNSEEN_CLASS, 'gv')
/** The same without line breaks, which lay out JSON and YAML. */
export const UNSEEN_IN_DATA = new RegExp(`[${UNSEEN_CLASS}--[\\n]]`, 'gv')

const UNSEEN_ONCE = new RegExp(UNSEEN_CLASS, 'v')
/** Those that hide or reorder text. Line breaks, tabs and what joins or colours emoji are part of honest text. */
const DECEPTIVE_CLASS = `[${UNSEEN_CLASS}--[\\n\\r\\t\\u00a0\\u00ad\\u200c\\u200d\\ufe0e\\ufe0f]]`
const DECEPTIVE = new RegExp(DECEPTIVE_CLASS, 'v')
const EACH_DECEPTIVE = new RegExp(DECEPTIVE_CLASS, 'gv')

/** Backslashes before what is, or looks like, one of the escapes of {@link printable}. */
const BEFORE_ESCAPE = new RegExp(`\\\\+(?=[nt]|u[0-9a-fA-F]{4}|${UNSEEN_CLASS})`, 'gv')

/** Runs of characters that could be among them: most text is ASCII, in which a scan for these is far cheaper. */
const BEYOND_ASCII = /[^\n -~]+/g

/**
 * Text for a terminal or a form. A tab is shown as `\t`, a line break as `\n`, any other as JSON writes it (`\u202e`).
 * Backslashes of text that looks like such an escape are doubled.
 */
export function printable(text: string): string {
  return text
    .replaceAll(BEFORE_ESCAPE, '$&$&')
    .replaceAll(UNSEEN, (char) => (char === '\n' ? '\\n' : char === '\t' ? '\\t' : jsonEscape(char)))
}

/** True for text with a character that {@link printable} writes as an escape. */
export function hasUnseen(text: string): boolean {
  return UNSEEN_ONCE.test(text)
}

/** True for text with characters that hide from people what a program or a model reads. */
export function isDeceptive(text: string): boolean {
  return DECEPTIVE.test(text)
}

/** Text for a page: what hides or reorders text is shown as JSON writes it (`\u202e`), and emoji and scripts that join letters stay. */
export function undeceptive(text: string): string {
  return text.replaceAll(BEYOND_ASCII, (run) => run.replaceAll(EACH_DECEPTIVE, jsonEscape))
}

/** The same JSON value with these characters as escapes (RFC 8259, section 7). */
export function visibleJson(json: string): string {
  return json.replaceAll(BEYOND_ASCII, (run) => run.replaceAll(UNSEEN_IN_DATA, jsonEscape))
}

/** Each UTF-16 code unit as `\uXXXX`. */
function jsonEscape(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}

// Names that a lenient reader takes for each other. Some JSON readers ignore the case of member names, normalize them, or end them at
// NUL. Such a reader takes `Name`, `\uff4e\uff41\uff4d\uff45` and `name\u0000` for `name`, and finds a value that nothing has judged.

/** Names of this form fold to themselves. */
const PLAIN = /^[a-z0-9_$./-]*$/
/** Characters that no reader sees: controls, zero-width characters and the like. */
const INVISIBLE = /[\p{Cc}\p{Default_Ignorable_Code_Point}]/gu

/** The form that all spellings of a name share. Takes steps in proportion to the length of the name. */
export function foldName(name: string): string {
  if (PLAIN.test(name)) return name
  const nul = name.indexOf('\0')
  const read = nul === -1 ? name : name.slice(0, nul)
  return read.normalize('NFKC').replace(INVISIBLE, '').toUpperCase().toLowerCase().normalize('NFKC')
}

/** A set of declared names that finds other spellings of them. */
export class FoldedNames {
  readonly #names: ReadonlySet<string>
  readonly #byFold: ReadonlyMap<string, string>

  constructor(names: Iterable<string>) {
    this.#names = new Set(names)
    this.#byFold = new Map([...this.#names].map((name) => [foldName(name), name]))
  }

  get size(): number {
    return this.#names.size
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** The declared name that `name` is another spelling of; null for a declared name, and for one that is unlike all of them. */
  declaredFor(name: string): string | null {
    if (this.#names.has(name)) return null
    return this.#byFold.get(foldName(name)) ?? null
  }

  /** The first member of an object that is another spelling of a declared name; null without one. */
  misspelt(members: object): { readonly given: string; readonly declared: string } | null {
    for (const given in members) {
      const declared = this.declaredFor(given)
      if (declared !== null) return { given, declared }
    }
    return null
  }
}

/** A member name as an error shows it. */
export function shownName(name: string): string {
  return JSON.stringify(name.slice(0, 64).toWellFormed()).replace(
    /[^ -~]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
