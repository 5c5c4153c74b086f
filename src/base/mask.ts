/** What stands in the place of a secret. */
export const MASKED = '[secret]'

/** Ends of names under which secrets stand. The name of a key, its id and a token's lifetime are none. */
const SECRET_NAME =
  /(^|[-_.])(authorization|cookie|password|passwd|passphrase|pwd|secret|token|jwt|assertion|bearer)$|(^|[-_.])(api|private|secret|access|signing|signature)[-_]?key$|(password|passphrase|secret|token|apikey)$/i

/** True for the name of a member, header or parameter that holds a secret. */
export function isSecretName(name: string): boolean {
  return name.length <= 128 && SECRET_NAME.test(name)
}

/** Each with what it is replaced by. None looks further than once over the text from any place where it may begin. */
const SHAPES: readonly (readonly [form: RegExp, instead: string])[] = [
  // Of this gateway
  [/(?<![0-9A-Za-z])pst_[a-z]{2}_[0-9A-Za-z_]{8,}/g, MASKED],
  // Signed tokens (RFC 7515)
  [/(?<![0-9A-Za-z_-])eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*){0,3}/g, MASKED],
  // Private keys in PEM (RFC 7468)
  [/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[^-]*(-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?/g, MASKED],
  // A header's credentials (RFC 9110 section 11.4); a word of a sentence has no digit
  [/\b(bearer|basic|apikey|digest|token)(\s+)(?=[^\s"',;]*[0-9=])[\w.~+/=-]{8,}/gi, `$1$2${MASKED}`],
  // Keys that say whose they are
  [
    /(?<![\w.-])((gh[pousr]|github_pat|glpat|xox[abeprs]|sk|rk|whsec|hvs|npm|dop_v1)[_.-](?=[\w.-]*[0-9])[\w.-]{16,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,})/g,
    MASKED,
  ],
  // User and password in a URL (RFC 3986 section 3.2.1)
  [/(:\/\/)[^\s/?#@"'<>]{1,512}@/g, `$1${MASKED}@`],
  // Members, form fields and parameters by their names; what begins with {{ or ${ is no literal
  [
    /((?:authorization|cookie|password|passwd|passphrase|pwd|secret|token|assertion|(?:api|private|secret|access|signing)[-_]?key|[?&](?:code|sig|signature|key))\\?["']?\s{0,8}[:=]\s{0,8}\\?["']?)(?!\[secret\])[^\s"'&,;{}$<>\\]+/gi,
    `$1${MASKED}`,
  ],
]

/** One of these is in every text that one of the forms fits: most texts are looked over once. */
const MAYBE =
  /pst_|eyJ|-----|bearer|basic|digest|token|authorization|cookie|pass|pwd|secret|assertion|key|:\/\/|[?&](code|sig)|(gh[pousr]|github_pat|glpat|xox[abeprs]|[sr]k|whsec|hvs|npm|dop_v1)[_.-]|AKIA|AIza/i

/** A text without what looks like a secret: tokens, private keys, credentials of a header or URL. */
export function maskText(text: string): string {
  if (!MAYBE.test(text)) return text
  let masked = text
  for (const [form, instead] of SHAPES) masked = masked.replace(form, instead)
  return masked
}
