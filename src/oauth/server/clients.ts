/**
 * The clients of the authorization server: parts of Postern, service identities, agents, and clients that have registered
 * themselves (RFC 7591).
 */
import type { Agent, ServiceClient } from '../../access/accounts.ts'
import { hashToken } from '../../base/crypto/token.ts'
import { listedTexts, type Plain } from '../../base/json/storable.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import { urlTextFault } from '../../base/text/url.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** What clients may register for themselves. */
const OWN_GRANTS = ['authorization_code', 'refresh_token', DEVICE_GRANT, JWT_BEARER]
const MEMBERS = [
  'client_id',
  'client_name',
  'client_uri',
  'redirect_uris',
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
  'token_endpoint_auth_signing_alg',
  'application_type',
  'jwks',
  'jwks_uri',
]
/** For which a client that registered itself is known after it was used last, in milliseconds. */
export const CLIENT_KEPT_MS = 90 * 24 * 60 * 60 * 1000
const NAME_MAX = 100
const REDIRECTS_MAX = 20

/** The command line of Postern. It keeps no secret; what it is let in with is the consent of its user. */
export const CLI_CLIENT = {
  client_id: 'postern-cli',
  client_name: 'Postern command line',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback', 'http://[::1]/callback'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT, TOKEN_EXCHANGE],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
} as const

/** The pages of Postern itself, on which a person who has signed in needs no other consent. */
export const PAGES_CLIENT_ID = 'postern-pages'

/** @param issuer origin of the pages */
export function pagesClient(issuer: string): Plain {
  return {
    client_id: PAGES_CLIENT_ID,
    client_name: 'Postern',
    application_type: 'web',
    redirect_uris: [`${issuer}${SIGNED_IN_PATH}`],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
}

/** The console: its server signs people in, and needs no consent for that. */
export const CONSOLE_CLIENT_ID = 'postern-console'

/** @param redirects where the console may be reached: the URLs of its callback */
export function consoleClient(redirects: readonly string[]): Plain {
  return {
    client_id: CONSOLE_CLIENT_ID,
    client_name: 'Postern console',
    application_type: 'web',
    redirect_uris: redirects,
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
}

/** True for clients that are a part of Postern: they learn who has signed in, and get no token. */
export function isOwnClient(id: string): boolean {
  return id === PAGES_CLIENT_ID || id === CONSOLE_CLIENT_ID
}

/** To which a browser comes back that has signed in for a page. No origin has this slug. */
export const SIGNED_IN_PATH = '/connect/-/signed-in'

/** Stands before the hash of a secret, in the place of the secret. */
const HASHED = 'sha256:'

/** What is kept of a client's secret. */
export function keptSecret(secret: string): string {
  return HASHED + hashToken(secret)
}

/** A service identity, as a client; undefined where it has nothing to prove itself by. */
export function serviceClient(ref: string, service: ServiceClient): Plain | undefined {
  const { name, keys, secretHash } = service
  const proof =
    keys.length > 0
      ? { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }
      : { token_endpoint_auth_method: 'client_secret_basic', client_secret: HASHED + secretHash }
  if (keys.length === 0 && secretHash === null) return undefined
  return {
    client_id: ref,
    client_name: name,
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials', JWT_BEARER],
    ...proof,
  }
}

/** A binding of a host, as a client that signs, or whose secret is the token of the binding. */
export function agentClient({ id, host, credential }: Agent): Plain {
  const { keys, secretHash } = credential
  return {
    client_id: id,
    client_name: host.name,
    redirect_uris: [],
    response_types: [],
    // Of the two a binding takes one: each says of the other what to do
    grant_types: [TOKEN_EXCHANGE, 'client_credentials'],
    ...(secretHash === null
      ? { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }
      : { token_endpoint_auth_method: 'client_secret_basic', client_secret: HASHED + secretHash }),
  }
}

/**
 * What a client says of itself (RFC 7591), as it will do here: what we know and serve, and the type of application that
 * its redirects ask for, as most clients leave that out. Scopes are left to each request.
 */
export function lenientMetadata(given: Plain): Plain {
  const taken = Object.fromEntries(
    MEMBERS.flatMap((name) => (given[name] == null ? [] : [[name, given[name]]])),
  )
  const redirects = listedTexts(taken['redirect_uris']).slice(0, REDIRECTS_MAX)
  if (taken['redirect_uris'] !== undefined) taken['redirect_uris'] = redirects.map(readable)
  if (typeof taken['jwks_uri'] === 'string') taken['jwks_uri'] = readable(taken['jwks_uri'])
  if (redirects.some((one) => !one.startsWith('https://'))) taken['application_type'] = 'native'
  const grants = listedTexts(taken['grant_types']).filter((one) => OWN_GRANTS.includes(one))
  if (grants.length > 0) taken['grant_types'] = grants
  // RFC 7591 section 2 names the first alone; a client that leaves it out still wants to stay signed in
  else taken['grant_types'] = ['authorization_code', 'refresh_token']
  if (taken['response_types'] !== undefined) taken['response_types'] = redirects.length === 0 ? [] : ['code']
  const { client_name: name, client_uri: page } = taken
  if (typeof name === 'string') {
    const shown = visible(name)
    // A reserved one would be taken for Postern; the client is called by its id then
    if (shown === '' || isReservedName(shown)) delete taken['client_name']
    else taken['client_name'] = shown
  }
  if (typeof page !== 'string' || !/^https?:/.test(readable(page))) delete taken['client_uri']
  return taken
}

/** A URL that leads where it reads; any other as a text that is no URL, which the engine refuses. */
function readable(url: string): string {
  return urlTextFault(url) === null ? url : ''
}

/** A name without what cannot be seen, and could turn the text after it around where people read who asks. */
function visible(name: string): string {
  return (
    name
      .replaceAll(/[\p{C}\p{Zl}\p{Zp}\u2800\u3164\uffa0\u115f\u1160]/gu, '')
      .trim()
      .slice(0, NAME_MAX)
      // Half of a character that the cut has parted
      .replace(/[\ud800-\udbff]$/, '')
  )
}

/**
 * What a client is called where people decide about it, and whether it chose the name itself.
 * @param known the name that a bundled or pinned document gives it, if there is one
 */
export function shownClient(
  id: string,
  name: string | undefined,
  known: string | undefined = undefined,
): ShownClient {
  const isOwn = id === CLI_CLIENT.client_id || isOwnClient(id)
  // Registered before names were reserved
  const isTaken = name !== undefined && !isOwn && isReservedName(name)
  const shown = name === undefined || isTaken ? null : name
  return { id, name: shown, isVerified: isOwn || (shown !== null && shown === known) }
}

export interface ShownClient {
  readonly id: string
  readonly name: string | null
  readonly isVerified: boolean
}

/** The host that a redirect leads to, as a person reads it; the scheme where it leads to a program. */
export function redirectHost(redirect: string): string {
  const url = URL.parse(redirect)
  if (url === null) return redirect
  return /^https?:$/.test(url.protocol) ? url.host : url.protocol.slice(0, -1)
}

/** True for a redirect that any program on the computer of the user could receive. */
export function isLocalRedirect(redirect: string): boolean {
  const url = URL.parse(redirect)
  return url !== null && (!/^https?:$/.test(url.protocol) || isLoopbackHost(url.hostname))
}

// Names that a client may not choose, because people would take the client for Postern itself.

/** The name that clients may not take, whatever it looks like. */
const RESERVED = 'postern'

/**
 * Signs that people read as letters of the reserved name, in lower case and after NFKD, which takes care of fullwidth,
 * circled, mathematical and other compatibility forms. Chosen from the confusables of Unicode (UTS #39,
 * confusables.txt) and from digits and signs that stand for letters.
 */
const LOOKS_LIKE: ReadonlyMap<string, string> = new Map([
  // Latin, Greek, Cyrillic, Armenian, Coptic, Cherokee, Lisu, Canadian syllabics, currency and other signs
  ...signs('p', 'рρϸþƿᴘƥᵽᶈꝑꝓꝕꟼⲣꮲꓑᑭᑬ₱₽℗¶ҏקᑷ'),
  ...signs('o', '0оοօσᴏøɵꝋꝍǫөѳθⲟꓳჿסہه०০੦૦௦౦೦൦๐໐၀〇°○◯●⭕๏'),
  ...signs('s', '5$ѕꜱꞩᵴᶊʂƨꙅՏꮪꓢᔕ§ร'),
  ...signs('t', '7+тτᴛŧƭʈƫᵵⲧꮖꮏꓔƬꭲ₮₸†⊤'),
  ...signs('e', '3еєεᴇɇəɘɛǝәҽеꮛᶒⲉꓰꭼ€ℇ∃⋿'),
  ...signs('r', 'гʀяɍɼɽɾɹꝛᵲᵳᶉꞧɿᴦꭱꮢꓣᖇր®'),
  ...signs('n', 'пηոռᴎɴиνπŋɲɳƞꞥᵰᶇⲛꓠᑎ₦∩лհղภ'),
  // Side by side they look like one
  ['m', 'rn'],
  ...letterBlock(0x1f150),
  ...letterBlock(0x1f170),
  ...letterBlock(0x1f1e6),
])

function signs(letter: string, likes: string): [string, string][] {
  return [...likes.toLowerCase()].map((like) => [like, letter])
}

/** The capitals from A to Z as white letters in circles, in squares, or as regional indicators. */
function letterBlock(start: number): [string, string][] {
  return Array.from({ length: 26 }, (_, i) => [
    String.fromCodePoint(start + i),
    String.fromCharCode(0x61 + i),
  ])
}

/** Signs within the reserved name that may be any letter or symbol beyond ASCII. */
const UNKNOWN_MAX = 2

/**
 * True for a name by which a client could be taken for Postern itself: whatever the case, spaces, punctuation, invisible
 * characters or accents in it, with letters of other scripts that look alike, and with up to {@link UNKNOWN_MAX}
 * other signs in the place of letters. The first and the last letter must be recognised, so that a
 * name such as "Poster ★" stays free.
 */
export function isReservedName(name: string): boolean {
  // The longest beginnings of the reserved name that end here: by their length, how many unknown signs they may still have
  let left = beginning()
  for (const letter of lettersOf(name)) {
    const next = beginning()
    for (let length = 0; length < RESERVED.length; length++) {
      const unknown = left[length]!
      if (unknown < 0) continue
      if (letter === RESERVED[length]) next[length + 1] = Math.max(next[length + 1]!, unknown)
      if (letter !== null) continue
      // Either a letter within the name, or an ornament between two letters
      if (length > 0 && length < RESERVED.length - 1)
        next[length + 1] = Math.max(next[length + 1]!, unknown - 1)
      next[length] = Math.max(next[length]!, unknown)
    }
    if (next[RESERVED.length]! >= 0) return true
    left = next
  }
  return false
}

function beginning(): number[] {
  return [UNKNOWN_MAX, ...Array<number>(RESERVED.length).fill(-1)]
}

/** What is read of a name: letters of ASCII, and null for a sign that could be any. */
function* lettersOf(name: string): Generator<string | null> {
  // Marks, blanks, punctuation and what is not shown stand between letters and change none
  for (const sign of name.normalize('NFKD').toLowerCase().normalize('NFKD')) {
    const known = LOOKS_LIKE.get(sign) ?? (/[a-z]/.test(sign) ? sign : undefined)
    if (known !== undefined) yield* known
    else if (/[\p{L}\p{N}\p{So}\p{Sm}\p{Sc}]/u.test(sign) && sign > '\u007f') yield null
  }
}
