/**
 * What may go wrong in a way that we expect. The list of codes is closed: it is the contract with callers, the
 * docs print a page for each, and every surface maps it through {@link PROBLEMS} alone.
 */
interface Problem {
  /** HTTP status (RFC 9110 section 15). */
  readonly status: number
  /** RFC 9457 `title`: the same for every occurrence. */
  readonly title: string
  /** What it means and what to do about it; printed as the docs page of the code. */
  readonly help: string
}

const problem = (status: number, title: string, help: string): Problem => ({ status, title, help })

export const PROBLEMS = {
  // The request itself (checks `wire` and `canonical`)
  malformed_request: problem(
    400,
    'Malformed request',
    'The bytes are not a valid HTTP/1.1 request: framing, request line or a header breaks the grammar of RFC 9112. The connection is closed and nothing reached the upstream. Check the client library, or the proxy in front of the gateway.',
  ),
  request_timeout: problem(
    408,
    'Request timeout',
    'The head or the body of the request did not arrive in time: a head takes at most 10 seconds, and of a body 7,200 bytes must come in every 30 seconds. At `/oauth` the whole body must arrive within 10 seconds. Send it faster, or check the network in between.',
  ),
  body_too_large: problem(
    413,
    'Body too large',
    'The body is larger than the collection allows (`max_body`). Send less, or raise the limit of the collection.',
  ),
  uri_too_long: problem(
    414,
    'URI too long',
    'The request target is longer than the gateway accepts. Move data from the query into the body.',
  ),
  headers_too_large: problem(
    431,
    'Headers too large',
    'The head of the request is longer, or has more fields, than the gateway accepts. Send fewer or smaller headers.',
  ),
  http_version_not_supported: problem(
    505,
    'HTTP version not supported',
    'The gateway speaks HTTP/1.1 and HTTP/1.0 on this listener.',
  ),
  request_not_canonical: problem(
    400,
    'Request not canonical',
    'The target, host or an identity header can be read in two ways: encoded slashes, dot segments, empty segments, a host that is no authority, a repeated or hidden identity header. Two readers could disagree on it, so it is refused. Send the plain form. A path is also refused if a server that ignores case, a final slash or an additional encoding would read it as the path of another endpoint, which is protected differently: send the exact path of that endpoint.',
  ),
  expectation_failed: problem(
    417,
    'Expectation failed',
    'The only expectation that is understood is `100-continue`.',
  ),

  // Routing and identity (checks `route` to `upgrade`)
  route_not_found: problem(
    404,
    'Route not found',
    'No published proxy answers this path. Check the base path of the collection, the path of the proxy, and that both are published.',
  ),
  credentials_missing: problem(
    401,
    'Credentials missing',
    'Nothing in the request says who is calling. Send `Authorization: Bearer <token>`, or `X-Client-ID` and `X-Profile-ID` for a profile of type none.',
  ),
  profile_ambiguous: problem(
    401,
    'Profile ambiguous',
    'Several profiles fit the request equally well. Say which by `X-Profile-ID`, and `X-Client-ID` where they are of several clients. The request record names them.',
  ),
  identity_rejected: problem(
    403,
    'Identity rejected',
    'The client or profile is unknown, or what the request says about itself does not agree. The three cases are not told apart on purpose.',
  ),
  client_inactive: problem(403, 'Client inactive', 'The client is switched off or outside its validity.'),
  profile_inactive: problem(403, 'Profile inactive', 'The profile is switched off.'),
  ip_not_allowed: problem(
    403,
    'Address not allowed',
    'The address of the caller is not in the allow list of the profile.',
  ),
  auth_throttled: problem(
    429,
    'Too many failed authentications',
    'Too many attempts with wrong credentials came from this address for this profile, or to sign in by this name or from this network. Wait for `Retry-After`. A valid token that Postern issued passes all the same, so replace the credential that fails.',
  ),
  credential_invalid: problem(
    401,
    'Credential invalid',
    'The credential is unknown, revoked, malformed or not meant for this place. Check that it was copied whole and has not been rotated.',
  ),
  credential_expired: problem(
    401,
    'Credential expired',
    'The credential was valid once. Rotate it and use the new value.',
  ),
  identity_unavailable: problem(
    503,
    'Identity provider unavailable',
    'The credential could not be judged: the keys of its issuer, or the answer of its introspection, cannot be had at the moment, and nothing that was kept is fresh enough. Nothing is said about the credential. Try again after `Retry-After`; operators see the reason in the request record.',
  ),
  collection_not_assigned: problem(
    403,
    'Collection not assigned',
    'The client, or this profile of it, has no access to the collection. Assign it.',
  ),
  endpoint_not_allowed: problem(
    403,
    'Endpoint not allowed',
    'The rules of the profile exclude this endpoint.',
  ),
  upgrade_required: problem(
    426,
    'Upgrade required',
    'The endpoint opens WebSockets (RFC 6455) and answers nothing else: send GET over HTTP/1.1 with `Connection: Upgrade` and `Upgrade: websocket`. Calls of agents cannot open one.',
  ),
  method_not_allowed: problem(
    405,
    'Method not allowed',
    'The proxy or the profile does not allow this method; `Allow` lists those that work.',
  ),

  // Limits (check `limits`)
  rate_limit_exceeded: problem(
    429,
    'Rate limit exceeded',
    'More requests than the policy admits in its window. Wait for `Retry-After`; the body names the policy and the limit.',
  ),
  quota_exceeded: problem(
    429,
    'Quota exceeded',
    'The quota of the period is used up. The body says when the next period starts.',
  ),
  concurrency_exceeded: problem(
    429,
    'Too many calls at once',
    'As many calls are under way as the policy admits at once. Wait until one of them has ended; the body names the policy and the limit. At `/oauth`, `/.well-known` and `/management` the address has too many requests without a valid access token under way (`POSTERN_PENDING_PER_SOURCE_MAX`): wait for `Retry-After`.',
  ),

  // The contract (checks `contract` and `operation`)
  body_invalid: problem(
    400,
    'Body invalid',
    'The body is not what the contract of the endpoint asks for; `errors` points into it and says why. `inspect_contract` and the OpenAPI description show the schema.',
  ),
  graphql_rejected: problem(
    400,
    'GraphQL operation rejected',
    'The operation is nested deeper, has more fields or asks for more than the endpoint allows. Ask for less in one operation.',
  ),

  // Repeated requests (check `replay`)
  idempotency_unavailable: problem(
    503,
    'Idempotency unavailable',
    'Whether the call was made before cannot be told at the moment, so it was not made. Try again with the same key.',
  ),

  // What is configured and cannot be used (checks `held-back route`, `limits` and `contract`)
  route_unavailable: problem(
    500,
    'Route unavailable',
    'What is configured for the route cannot be used, so no call is let through. Operators see the reason in the log of the process and in the record of the call.',
  ),

  // Forwarding (checks `credential` to `answer`)
  credential_unavailable: problem(
    500,
    'Upstream credential unavailable',
    'The credential that the upstream needs is missing or cannot be opened. Operators see the reason in the readiness report.',
  ),
  upstream_unreachable: problem(
    502,
    'Upstream unreachable',
    'No connection to the upstream could be made, or it broke before an answer came.',
  ),
  upstream_invalid_response: problem(
    502,
    'Upstream response invalid',
    'The answer of the upstream breaks HTTP/1.1, so it was not passed on.',
  ),
  response_invalid: problem(
    502,
    'Response invalid',
    'The upstream answered, but not as its contract says, so the answer was held back. The call had its effect there.',
  ),
  upstream_unavailable: problem(
    503,
    'Upstream unavailable',
    'Most calls to the upstream failed, no server behind it is healthy, or every connection to it is busy. Try again, after `Retry-After` where there is one.',
  ),
  upstream_timeout: problem(
    504,
    'Upstream timeout',
    'The upstream did not answer in time. The call may or may not have had an effect there.',
  ),

  // The gateway itself
  not_ready: problem(
    503,
    'Not ready',
    'The gateway has no configuration yet or is shutting down. Try again shortly.',
  ),
  not_available: problem(
    404,
    'Not available',
    'This path is reserved by the gateway, and nothing answers it in this version or on this listener.',
  ),
  overloaded: problem(
    503,
    'Overloaded',
    'The gateway keeps as much in memory for this caller, or for all, as it may: bodies that it must see as a whole, and answers that nobody has read yet. Read what was answered, send less at once, and try again after `Retry-After`. At `/oauth` and `/management` it also means that the control plane has too many requests under way. Without that field the call was made, and only its answer could not be kept.',
  ),
  internal_error: problem(
    500,
    'Internal error',
    'A fault of the gateway. Its log has the reason under the request id.',
  ),

  // Gateway MCP tools
  endpoint_not_found: problem(
    404,
    'Endpoint not found',
    'No endpoint of that id, name or path is visible to this profile. Use list_endpoints.',
  ),
  endpoint_ambiguous: problem(
    400,
    'Endpoint ambiguous',
    'Several endpoints fit; the answer lists them. Name one by its id.',
  ),
  parameter_invalid: problem(
    400,
    'Parameter invalid',
    'An argument or parameter has the wrong form; `errors` points at it.',
  ),

  // Management
  input_invalid: problem(
    400,
    'Input invalid',
    'One or more fields have the wrong form; `errors` points at each and says what is expected.',
  ),
  document_invalid: problem(
    422,
    'Document invalid',
    'The document cannot be read or is broken; `errors` points at the place (RFC 6901).',
  ),
  insufficient_scope: problem(
    403,
    'Insufficient scope',
    'The caller may do this, but not by this token: its scopes do not reach so far. Ask for a token with the scopes of `scope`.',
  ),
  permission_denied: problem(
    403,
    'Permission denied',
    'The caller is known but may not do this; the detail names the missing permission.',
  ),
  not_found: problem(
    404,
    'Not found',
    'There is no such thing, or it is outside of what the caller may see.',
  ),
  already_exists: problem(
    409,
    'Already exists',
    'Another resource of this type has the slug, base path or route. Choose another, or update the existing one.',
  ),
  managed_elsewhere: problem(
    409,
    'Managed elsewhere',
    'A document names a resource that another set of documents manages, as its `managed_by` says. Take it out of one of the two, or apply with `take_over`.',
  ),
  replay_refused: problem(
    409,
    'Replay refused',
    'The recorded request cannot be made again as who made it: the client, profile, token or proxy is gone, switched off or has ended, or the caller was proved by what is not recorded. The detail says which.',
  ),
  already_decided: problem(
    409,
    'Already decided',
    'The change request or access request was approved, rejected or carried out before, or its time is over. The detail says which; ask anew if it is still wanted.',
  ),
  in_use: problem(409, 'In use', 'Other resources refer to it; the detail names them. Detach it first.'),
  revision_conflict: problem(
    412,
    'Revision conflict',
    'The resource changed since the revision that was sent. Read it again and repeat the change.',
  ),
  change_request_outdated: problem(
    409,
    'Change request outdated',
    'What was asked for cannot be carried out as it was shown: what it touches, or whoever asked, has changed since. The detail says what. Nothing was done. Reject it; whoever asked may ask again.',
  ),
  change_too_large: problem(
    422,
    'Change too large to approve',
    'The change has to be approved by another person and is too large to be shown whole, so nobody could approve it. Split it into several smaller changes, such as one for each proxy. A change request of an earlier version that names values by their length is refused as well: reject it and ask again.',
  ),
  deletions_unconfirmed: problem(
    400,
    'Deletions unconfirmed',
    'Applying the documents would remove more than is removed without a word. Look at the plan; if it is meant, send `allow_deletes` with the number.',
  ),
  confirmation_required: problem(
    400,
    'Confirmation required',
    'This cannot be undone. Send `confirm` with the slug of the resource.',
  ),
  configuration_invalid: problem(
    422,
    'Configuration invalid',
    'The change is well formed but the configuration would not work with it; `errors` says why. Nothing was stored.',
  ),
  idempotency_conflict: problem(
    409,
    'Idempotency conflict',
    'The idempotency key was used for a different request. Use a new key.',
  ),
  secret_already_shown: problem(
    409,
    'Secret already shown',
    'A repeated call would return a secret that is shown only once. The first answer had it; rotate to get another.',
  ),
  store_unavailable: problem(
    503,
    'Store unavailable',
    'The configuration store cannot be used: its disk is full, or its file is missing, replaced or damaged. The detail names the fault. Traffic is served by the last known configuration. Nothing can be changed until the store can be used again.',
  ),
  key_file_unusable: problem(
    503,
    'Key file unusable',
    'The keys that secrets are sealed with cannot be changed: the key file is missing, was changed, or cannot be replaced. Nothing was changed; secrets open as before. The detail names the file and what to do.',
  ),
  records_unavailable: problem(
    503,
    'Records unavailable',
    'The store of request records does not answer in time. Requests are served and recorded as before; try again, or ask for a shorter time.',
  ),
  unsupported_media_type: problem(
    415,
    'Unsupported media type',
    'The body is of a type that is not taken here. Where nothing else is named, it must be JSON in UTF-8, uncompressed. Send `Content-Type: application/json`.',
  ),
  payload_rejected: problem(400, 'Body not JSON', 'The body must be one JSON object in UTF-8.'),
} as const satisfies Record<string, Problem>

export type RefusalCode = keyof typeof PROBLEMS

/** One thing that is wrong with an input: where (JSON pointer, RFC 6901) and what to do. */
export interface FieldError {
  readonly pointer: string
  readonly reason: string
}

/** Facts that a refusal tells its caller. Never a secret, an upstream address or a stack. */
export interface RefusalFacts {
  /** A sentence for this occurrence that names the thing and the fix. Falls back to the help of the code. */
  readonly detail?: string
  readonly errors?: readonly FieldError[]
  /** Further members of the problem object, such as `policy`, `max`, `retry_after_ms`. */
  readonly members?: Readonly<Record<string, unknown>>
  /** What only the log and the record may know. */
  readonly inner?: string
  /** The resources that the caller named and that the caller's grants do not show; for the audit log alone. */
  readonly sought?: readonly Sought[]
}

/** A resource as the caller named it: its type, and an id, a slug or `parent:slug`. */
export interface Sought {
  readonly type: string
  readonly ref: string
}

/** An expected failure. Anything else that is thrown is a fault and is answered with `internal_error`. */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly facts: RefusalFacts

  constructor(code: RefusalCode, facts: RefusalFacts = {}) {
    super(facts.detail ?? PROBLEMS[code].help)
    this.name = 'Refusal'
    this.code = code
    this.facts = facts
  }

  get status(): number {
    return PROBLEMS[this.code].status
  }
}

/** Makes a refusal to throw: `throw refuse('not_found', { detail: 'No collection "x".' })`. */
export function refuse(code: RefusalCode, facts?: RefusalFacts): Refusal {
  return new Refusal(code, facts)
}

/** The RFC 9457 `type`: a stable name, since no one site serves every installation's docs; pages are docs/problems/. */
export function problemType(code: RefusalCode): string {
  return `urn:postern:problem:${code}`
}

/** The RFC 9457 object of a refusal, the only form in which one leaves over HTTP. */
export function toProblem(refusal: Refusal, requestId: string): Record<string, unknown> {
  return problemOf(refusal.code, refusal.facts, requestId)
}

/** The same for a refusal that was never thrown: the request path makes no Error objects. */
export function problemOf(
  code: RefusalCode,
  facts: RefusalFacts,
  requestId: string,
): Record<string, unknown> {
  const { status, title, help } = PROBLEMS[code]
  return {
    type: problemType(code),
    title,
    status,
    detail: facts.detail ?? help,
    code,
    request_id: requestId,
    errors: facts.errors ?? [],
    ...facts.members,
  }
}
