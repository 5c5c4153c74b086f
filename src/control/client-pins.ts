import { readFileSync } from 'node:fs'
import { isPlain, type Plain } from '../base/json/storable.ts'
import { isSecureUrl } from '../base/net/address.ts'
import { CannotStart } from '../base/refusal.ts'
import { lenientMetadata } from '../oauth/server/clients.ts'
import { settingName } from '../settings/schema.ts'

/** How a client proves itself that shares no secret with us. */
const METHODS: readonly unknown[] = ['none', 'private_key_jwt']

/**
 * Metadata documents of OAuth clients that the operator has pinned, by their URL. Throws CannotStart with one sentence
 * that names what is broken.
 */
export function readClientPins(path: string | null): ReadonlyMap<string, Plain> {
  if (path === null) return new Map()
  const setting = `${settingName('CIMD_PINS')} ${path}`
  const given = parsed(path, setting)
  if (!isPlain(given)) throw new CannotStart(`${setting}: must be a JSON object of documents by their URL.`)
  return new Map(
    Object.entries(given).map(([url, document]) => {
      const fault = faultOf(url, document)
      if (fault !== null) throw new CannotStart(`${setting}: the document "${url}" ${fault}.`)
      // A document by the judgement above
      return [url, { token_endpoint_auth_method: 'none', ...lenientMetadata(document as Plain) }]
    }),
  )
}

function parsed(path: string, setting: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new CannotStart(`${setting}: the file cannot be read.`, error)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CannotStart(`${setting}: the file is no JSON.`, error)
  }
}

/** What is wrong with a pinned document, or null. */
function faultOf(url: string, document: unknown): string | null {
  const read = URL.parse(url)
  if (
    read === null ||
    read.protocol !== 'https:' ||
    read.pathname === '/' ||
    read.href !== url ||
    read.hash !== ''
  )
    return 'must have an https URL with a path as its key'
  if (!isPlain(document)) return 'is no JSON object'
  const { client_id, redirect_uris, token_endpoint_auth_method: method = 'none', jwks, jwks_uri } = document
  if (client_id !== url) return 'must have its URL as client_id'
  if (!Array.isArray(redirect_uris) || redirect_uris.length === 0) return 'has no redirect_uris'
  const redirects = redirect_uris.map((one) => (typeof one === 'string' ? URL.parse(one) : null))
  if (redirects.includes(null)) return 'has a redirect URI that is not a URL'
  if (redirects.some((one) => one?.protocol === 'http:' && !isSecureUrl(one)))
    return 'has a redirect URI with http to another machine'
  if (!METHODS.includes(method)) return 'must have the token_endpoint_auth_method none or private_key_jwt'
  if (method === 'private_key_jwt' && jwks === undefined && jwks_uri === undefined)
    return 'has the method private_key_jwt, but no keys: add jwks'
  return null
}
