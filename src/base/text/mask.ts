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
