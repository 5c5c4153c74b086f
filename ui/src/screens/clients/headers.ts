/** How a caller presents the identity of a profile. */
import type { JsonObject } from '../../../build/document.ts'

interface HeaderLine {
  readonly name: string
  readonly value: string
}

interface Caller {
  readonly headers: readonly HeaderLine[]
  /** What the caller needs besides these headers. */
  readonly hint: string
}

/** Headers of a request of this profile. `$TOKEN` stands for a secret that the console does not know. */
export function callerOf(profile: JsonObject): Caller {
  const type = String((profile['auth'] as JsonObject | undefined)?.['type'] ?? '')
  const ids = [
    { name: 'X-Client-ID', value: String(profile['client']) },
    { name: 'X-Profile-ID', value: String(profile['slug']) },
  ]
  const bearer = (value: string): HeaderLine => ({ name: 'Authorization', value: `Bearer ${value}` })
  switch (type) {
    case 'none':
      return { headers: ids, hint: 'These ids are not secret. Limit the profile to known IP addresses.' }
    case 'token':
      return {
        headers: [bearer('$TOKEN')],
        hint: 'The token was shown once when it was issued. Rotate the profile to issue a new one.',
      }
    case 'jwt':
      return {
        headers: [bearer('$JWT')],
        hint: 'The caller signs a JWT for each request or for a short time.',
      }
    case 'oidc':
      return { headers: [bearer('$ACCESS_TOKEN')], hint: 'The OpenID provider issues the access token.' }
    case 'mtls':
      return {
        headers: [],
        hint: 'The connection has a client certificate. Several profiles may need X-Profile-ID to choose between them.',
      }
    default:
      return { headers: [], hint: '' }
  }
}

/** A request of this profile for a shell. `url`: where callers reach the gateway. */
export function curlOf({ headers }: Caller, url: string, isCertificate: boolean): string {
  const lines = headers.map(({ name, value }) => `-H "${name}: ${value}"`)
  if (isCertificate) lines.push('--cert client.pem --key client.key')
  return [`curl ${url}`, ...lines].join(' \\\n  ')
}
