/** A request that is refused, and what its explanation says. */
interface Refusal {
  readonly what: string
  readonly client?: string
  readonly profile?: string
  readonly method?: string
  readonly target?: string
  /** A declared length, of which nothing is sent. */
  readonly body_bytes?: string
  readonly code: string
  readonly number: number
  readonly setting: string | null
  /** What the answer says of methods. */
  readonly allow?: string
  /** Where the record says more than the code. */
  readonly reason?: RegExp
}

/** One of each check that can be brought about from outside, by the instance of `explain.test.ts`. */
export const REFUSALS: readonly Refusal[] = [
  {
    what: 'a path that can be read in two ways',
    target: '/orders/v1/%2e%2e/x',
    code: 'request_not_canonical',
    number: 3,
    setting: null,
  },
  {
    what: 'a path that no collection has',
    target: '/nowhere',
    code: 'route_not_found',
    number: 4,
    setting: null,
  },
  {
    what: 'a client that is switched off',
    client: 'off',
    code: 'client_inactive',
    number: 6,
    setting: 'clients/off active',
  },
  {
    what: 'a client whose time is over',
    client: 'past',
    code: 'client_inactive',
    number: 6,
    setting: 'clients/past valid_until',
    reason: /validity of the client has ended/,
  },
  {
    what: 'a profile that is switched off',
    profile: 'off',
    code: 'profile_inactive',
    number: 6,
    setting: 'profiles/free:off active',
  },
  {
    what: 'an address outside of the list',
    profile: 'far',
    code: 'ip_not_allowed',
    number: 7,
    setting: 'profiles/free:far ip_allowlist',
  },
  {
    what: 'a path that no route of the collection has, which is held back until the caller is known',
    target: '/orders/v2/nothing',
    code: 'route_not_found',
    number: 10,
    setting: null,
  },
  {
    what: 'the same for a client that is switched off',
    client: 'off',
    target: '/orders/v2/nothing',
    code: 'client_inactive',
    number: 6,
    setting: 'clients/off active',
  },
  {
    what: 'a client without the collection',
    client: 'other',
    code: 'collection_not_assigned',
    number: 11,
    setting: 'clients/other collections',
  },
  {
    what: 'a profile without the collection',
    profile: 'nothing',
    code: 'collection_not_assigned',
    number: 11,
    setting: 'profiles/free:nothing collections',
  },
  {
    what: 'an endpoint that is denied',
    profile: 'denied',
    code: 'endpoint_not_allowed',
    number: 11,
    setting: 'profiles/free:denied endpoints',
  },
  {
    what: 'an endpoint that is not among those that are allowed',
    profile: 'allowed',
    code: 'endpoint_not_allowed',
    number: 11,
    setting: 'profiles/free:allowed endpoints',
  },
  {
    what: 'a method that no route of the path has',
    method: 'DELETE',
    code: 'method_not_allowed',
    number: 12,
    setting: 'proxies/orders:one methods; proxies/orders:rest methods',
    allow: 'GET, HEAD, POST',
  },
  {
    what: 'a method that the profile may not use',
    profile: 'reader',
    method: 'POST',
    target: '/orders/v1/new',
    code: 'method_not_allowed',
    number: 12,
    setting: 'profiles/free:reader allowed_methods',
    allow: 'GET, HEAD',
  },
  {
    what: 'a method that the profile may not use, on a path that another route answers too',
    profile: 'writer',
    code: 'method_not_allowed',
    number: 12,
    setting: 'profiles/free:writer allowed_methods',
    allow: 'POST',
  },
  {
    what: 'a body that is too large',
    method: 'POST',
    body_bytes: '99999999',
    code: 'body_too_large',
    number: 1,
    setting: 'collections/orders max_body',
  },
  {
    what: 'a credential whose secret is not there',
    target: '/orders/v1/unresolved',
    code: 'credential_unavailable',
    number: 17,
    setting: 'credentials/unresolved',
    reason: /credential \S+ is not available/,
  },
  {
    what: 'a certificate for an upstream without TLS',
    target: '/orders/v1/certified',
    code: 'credential_unavailable',
    number: 17,
    setting: 'credentials/certified',
    reason: /needs an https upstream/,
  },
  {
    what: "a caller's token that is to be exchanged, of a profile that has none",
    target: '/orders/v1/exchanged',
    code: 'credential_unavailable',
    number: 17,
    setting: 'credentials/exchanged',
    reason: /sent no token that could be exchanged/,
  },
]
