/** A first request of a profile: its headers, and the endpoints that it can begin with. */
import type { JsonObject } from '../../../build/document.ts'
import { quoted } from '../../show-as/forms.ts'

interface HeaderLine {
  readonly name: string
  readonly value: string
}

interface Caller {
  readonly headers: readonly HeaderLine[]
  /** What stands for a secret in the request, and what takes its place; null: nothing. */
  readonly replace: string | null
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
      return {
        headers: ids,
        replace: null,
        hint: 'These ids are not secret. Limit the profile to known IP addresses.',
      }
    case 'token':
      return {
        headers: [bearer('$TOKEN')],
        replace: '$TOKEN with the token of the profile',
        hint: 'The token was shown once when it was issued. Rotate the profile to issue a new one.',
      }
    case 'jwt':
      return {
        headers: [bearer('$JWT')],
        replace: '$JWT with a JWT that the caller signs',
        hint: 'The caller signs a JWT for each request or for a short time.',
      }
    case 'oidc':
      return {
        headers: [bearer('$ACCESS_TOKEN')],
        replace: '$ACCESS_TOKEN with an access token',
        hint: 'The OpenID provider issues the access token.',
      }
    case 'mtls':
      return {
        headers: [],
        replace: 'client.pem and client.key with the files of the certificate and its key',
        hint: 'The connection has a client certificate. Several profiles may need X-Profile-ID to choose between them.',
      }
    default:
      return { headers: [], replace: null, hint: '' }
  }
}

/** A request of this profile for a shell. `url`: of an endpoint of the gateway. */
export function curlOf({ headers }: Caller, url: string, isCertificate: boolean, method = 'GET'): string {
  const lines = headers.map(({ name, value }) => `-H "${name}: ${value}"`)
  if (isCertificate) lines.push('--cert client.pem --key client.key')
  return [`curl ${method === 'GET' ? '' : `-X ${method} `}${quoted(url)}`, ...lines].join(' \\\n  ')
}

interface Endpoint<M> {
  readonly methods: readonly M[]
  readonly path: string
}

/** The endpoints whose path needs no value, with a method. Those that only read come first. */
export function callable<M extends string, E extends Endpoint<M>>(
  endpoints: readonly (E & Endpoint<M>)[],
): { readonly proxy: E; readonly method: M }[] {
  return endpoints
    .filter(({ path, methods }) => !path.includes('{') && methods.length > 0)
    .map((proxy) => ({ proxy, method: proxy.methods.find((one) => one === 'GET') ?? proxy.methods[0]! }))
    .sort((a, b) => Number(b.method === 'GET') - Number(a.method === 'GET'))
}
