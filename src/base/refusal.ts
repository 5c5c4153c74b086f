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
    'The bytes are not a valid HTTP/1.1 request: the framing, the request line or a header breaks RFC 9112. The gateway closed the connection and sent nothing to the upstream. Check the client library, or the proxy in front of the gateway.',
  ),
  request_timeout: problem(
    408,
    'Request timeout',
    'The header or the body of the request did not arrive in time. The header must arrive within 10 seconds, and at least 7,200 bytes of the body every 30 seconds. At `/oauth` the whole body must arrive within 10 seconds. Send the request faster, or check the network.',
  ),
  body_too_large: problem(
    413,
    'Body too large',
    'The body is larger than the gateway accepts. For an API, the limit is `max_body` of the collection (default 10 MiB). Send less, or raise this limit.',
  ),
  uri_too_long: problem(
    414,
    'URI too long',
    'The request target (path and query) is longer than 8,192 bytes. Move data from the query into the body.',
  ),
  headers_too_large: problem(
    431,
    'Headers too large',
    'The request line and the header are longer than 32,768 bytes together, or the header has more than 128 fields. Send fewer or smaller headers.',
  ),
  http_version_not_supported: problem(
    505,
    'HTTP version not supported',
    'This listener supports HTTP/1.1 and HTTP/1.0.',
  ),
  request_not_canonical: problem(
    400,
    'Request not canonical',
    'The target, the host or an identity header is ambiguous: encoded slashes, dot segments, empty segments, an invalid host, or a repeated or hidden identity header. Two servers could read it differently. Send the plain form. A path is also refused if a server that ignores case, a final slash or an additional encoding would read it as the path of another endpoint with different protection. Send the exact path of that endpoint.',
  ),
  expectation_failed: problem(
    417,
    'Expectation failed',
    'The gateway supports only the expectation `100-continue`.',
  ),

  // Contents (checks `guardrails` and `answer`)
  guardrail_blocked: problem(
    403,
    'Blocked by a guardrail',
    'A guardrail of the gateway blocks the content of the request: it found something in the body, the query or the path, or it could not check the body. The member `guardrail` names the guardrail. Nothing was sent to the upstream. Remove the content, or ask the administrator of the gateway.',
  ),
  response_blocked: problem(
    502,
    'Response blocked by a guardrail',
    'The upstream has responded, and a guardrail of the gateway blocks the response: it found something in the body, or it could not check the body. The member `guardrail` names the guardrail. The call has had its effect at the upstream, so do not repeat it without a check.',
  ),

  // Routing and identity (checks `route` to `upgrade`)
  route_not_found: problem(
    404,
    'Route not found',
    'No published proxy matches this path. Check the base path of the collection, the path of the proxy, and that both are published.',
  ),
  credentials_missing: problem(
    401,
    'Credentials missing',
    'The request has no credentials. Send `Authorization: Bearer <token>`, or `X-Client-ID` and `X-Profile-ID` for a profile of type none.',
  ),
  profile_ambiguous: problem(
    401,
    'Profile ambiguous',
    'Several profiles match the request equally well. Send `X-Profile-ID`, and `X-Client-ID` if the profiles belong to several clients. The request record names the profiles.',
  ),
  identity_rejected: problem(
    403,
    'Identity rejected',
    'The client is unknown, the profile is unknown, or the identity headers contradict each other or the credential. For security, the response does not distinguish these cases.',
  ),
  client_inactive: problem(
    403,
    'Client inactive',
    'The client is inactive, or its `valid_until` has passed. An administrator can change both.',
  ),
  profile_inactive: problem(
    403,
    'Profile inactive',
    'The profile is inactive. An administrator can activate it.',
  ),
  ip_not_allowed: problem(
    403,
    'Address not allowed',
    'The address of the caller is not in the allow list of the profile (`ip_allowlist`). If the address belongs to a proxy in front of the gateway, add the proxy to `POSTERN_TRUSTED_PROXIES`.',
  ),
  auth_throttled: problem(
    429,
    'Too many failed authentications',
    'Too many authentication attempts failed: from this address for this profile, or at sign-in with this name or from this network. Wait for `Retry-After` and replace the credential that fails. Valid tokens issued by Postern are still accepted.',
  ),
  credential_invalid: problem(
    401,
    'Credential invalid',
    'The credential is unknown, revoked, malformed or issued for another resource. Check that it was copied completely and has not been rotated.',
  ),
  credential_expired: problem(
    401,
    'Credential expired',
    'The credential has expired. Rotate it and use the new value.',
  ),
  identity_unavailable: problem(
    503,
    'Identity provider unavailable',
    'Postern could not verify the credential, because the keys of its issuer or the introspection endpoint are unavailable and the cached data is too old. The credential may be valid. Try again after `Retry-After`. Operators find the cause in the request record.',
  ),
  collection_not_assigned: problem(
    403,
    'Collection not assigned',
    'The client or this profile has no access to the collection. Assign the collection to it.',
  ),
  endpoint_not_allowed: problem(
    403,
    'Endpoint not allowed',
    'The rules of the profile exclude this endpoint. An administrator can change the endpoint rules of the profile.',
  ),
  upgrade_required: problem(
    426,
    'Upgrade required',
    'The endpoint accepts only WebSocket connections (RFC 6455). Send GET over HTTP/1.1 with `Connection: Upgrade` and `Upgrade: websocket`. MCP calls cannot open a WebSocket.',
  ),
  method_not_allowed: problem(
    405,
    'Method not allowed',
    'The proxy or the profile does not allow this method. `Allow` lists the allowed methods.',
  ),

  // Limits (check `limits`)
  rate_limit_exceeded: problem(
    429,
    'Rate limit exceeded',
    'The requests exceed the rate that the policy allows. Wait for `Retry-After`. The body names the policy and the limit.',
  ),
  quota_exceeded: problem(
    429,
    'Quota exceeded',
    'The quota of the current period is exhausted. The body says when the next period starts.',
  ),
  concurrency_exceeded: problem(
    429,
    'Too many calls at once',
    'The number of concurrent calls has reached the limit of the policy. Wait until one of the calls has ended. The body names the policy and the limit. At `/oauth`, `/.well-known` and `/management`, too many requests without a valid access token are pending from this address (`POSTERN_PENDING_PER_SOURCE_MAX`): wait for `Retry-After`.',
  ),

  // The contract (checks `contract` and `operation`)
  body_invalid: problem(
    400,
    'Body invalid',
    'The body does not match the contract of the endpoint. `errors` gives the place and the reason. `inspect_contract` and the OpenAPI description show the schema.',
  ),
  graphql_rejected: problem(
    400,
    'GraphQL operation rejected',
    'The operation exceeds a limit of the endpoint, such as depth or number of fields. Request less data in one operation.',
  ),

  // Repeated requests (check `kept answer`)
  idempotency_unavailable: problem(
    503,
    'Idempotency unavailable',
    'Postern cannot check at the moment whether this idempotency key was used before. The call was not forwarded. Try again with the same key.',
  ),

  // Configuration that cannot be used (checks `held-back route`, `limits` and `contract`)
  route_unavailable: problem(
    500,
    'Route unavailable',
    'The configuration of the route is faulty, so every call is refused. Operators find the cause in the process log and in the request record.',
  ),

  // Forwarding (checks `credential` to `answer`)
  credential_unavailable: problem(
    500,
    'Upstream credential unavailable',
    'The upstream credential is missing or cannot be decrypted. Operators find the cause at `/readyz` and in the log.',
  ),
  connect_required: problem(
    403,
    'Account not connected',
    'The origin requires an account, and Postern has no usable token for it: the account was never connected, the connection has ended, or the origin refuses the token. Open `connect_url` in a browser, connect the account, and repeat the call. Without `connect_url`, the caller is not a person, or an administrator must connect the account.',
  ),
  upstream_unreachable: problem(
    502,
    'Upstream unreachable',
    'The gateway could not connect to the upstream, or the connection broke before a response arrived. Check the URL of the upstream, its TLS settings and the network.',
  ),
  upstream_invalid_response: problem(
    502,
    'Upstream response invalid',
    'The upstream response is not valid HTTP/1.1, the response of an MCP server contains no JSON-RPC response, or a workflow cannot use the response of a language model, so the gateway did not forward it.',
  ),
  response_invalid: problem(
    502,
    'Response invalid',
    'The upstream response does not match the contract, so the gateway did not forward it. The upstream has processed the call.',
  ),
  upstream_unavailable: problem(
    503,
    'Upstream unavailable',
    'Most calls to the upstream failed, no target is healthy, all connections are busy, or the server of a language model accepts no calls now. Try again, after `Retry-After` if the response has it.',
  ),
  upstream_timeout: problem(
    504,
    'Upstream timeout',
    'The upstream did not respond in time. It may have processed the call, so check before you repeat it.',
  ),

  // Workflows (check `workflow`)
  workflow_failed: problem(
    500,
    'Workflow failed',
    'The workflow of the endpoint failed: a node failed, or the run took too long. Calls that it has made before may have taken effect. Operators find the node and the cause in the request record.',
  ),

  // The gateway itself
  not_ready: problem(
    503,
    'Not ready',
    'The gateway has no configuration yet, is shutting down, has lost contact with its database for longer than it may (POSTERN_STALE_MAX), or cannot reach Valkey and a policy refuses calls meanwhile (`on_store_failure: deny`). Try again shortly.',
  ),
  not_available: problem(
    404,
    'Not available',
    'The gateway reserves this path, but does not serve it in this version or on this listener.',
  ),
  overloaded: problem(
    503,
    'Overloaded',
    'The memory for buffered bodies and unread responses is used up, for this caller or for all callers. Read the responses, send less at once, and try again after `Retry-After`. At `/oauth` and `/management` the control plane may also have too many pending requests. Without `Retry-After`, the upstream has processed the call and only its response could not be buffered.',
  ),
  internal_error: problem(
    500,
    'Internal error',
    'The gateway has an internal fault. Operators find the cause in the log under the request id.',
  ),

  // Gateway MCP tools
  endpoint_not_found: problem(
    404,
    'Endpoint not found',
    'This profile can see no endpoint with that id, name or path. Use list_endpoints.',
  ),
  endpoint_ambiguous: problem(
    400,
    'Endpoint ambiguous',
    'Several endpoints match; the response lists them. Use the id of one.',
  ),
  call_lost: problem(
    410,
    'Call lost',
    'The call waited for input from the client and ended before the input arrived. It waited too long, it was cancelled, or the process that held it has ended. `repeat_is_safe` says whether you can repeat the call without a second effect.',
  ),
  capability_held: problem(
    403,
    'Capability held',
    'The tool, prompt or resource was added or changed by its MCP server, and is not approved yet. The virtual MCP hides it until an administrator approves it. Only records have this code: the caller gets the same response as for an unknown capability. Open the tab Drift of the virtual MCP, or run `postern virtual-mcps list-drift`, and approve or reject the change.',
  ),
  parameter_invalid: problem(
    400,
    'Parameter invalid',
    'An argument or parameter is invalid. `errors` gives the place and the reason.',
  ),

  // Management
  input_invalid: problem(
    400,
    'Input invalid',
    'One or more fields are invalid. `errors` gives the place of each and the expected value.',
  ),
  document_invalid: problem(
    422,
    'Document invalid',
    'The document cannot be parsed or is invalid. `errors` gives the place (RFC 6901) and the reason.',
  ),
  insufficient_scope: problem(
    403,
    'Insufficient scope',
    'The caller has the permission, but the scopes of this token do not include it. Request a token with the scopes in `scope`.',
  ),
  permission_denied: problem(
    403,
    'Permission denied',
    'The caller is authenticated but lacks a permission. The detail names the missing permission. At a virtual MCP, the capability policy does not allow these arguments for the tool. Change the arguments, or the policy.',
  ),
  not_found: problem(
    404,
    'Not found',
    'The resource does not exist, or the caller lacks the permission to see it.',
  ),
  already_exists: problem(
    409,
    'Already exists',
    'Another resource of this type uses the slug, base path or route. Choose another value, or update the existing resource.',
  ),
  managed_elsewhere: problem(
    409,
    'Managed elsewhere',
    'A document names a resource that another set of documents manages (`managed_by`). Remove it from one of the two sets, or apply with `take_over`.',
  ),
  replay_refused: problem(
    409,
    'Replay refused',
    'The recorded request cannot be repeated as its caller. The client, profile, token or proxy was deleted, is inactive or has expired, or the caller used a credential that is not recorded. The detail names the cause.',
  ),
  already_decided: problem(
    409,
    'Already decided',
    'The change request or access request is already approved, rejected, applied or expired. The detail gives its state. Create a new request if you still need it.',
  ),
  in_use: problem(
    409,
    'In use',
    'Other resources refer to this resource, or it is a node that is alive. The detail names them. Remove the references, or stop the node, first.',
  ),
  revision_conflict: problem(
    412,
    'Revision conflict',
    'The resource has changed since the revision in the request. Read it again and repeat the change.',
  ),
  change_request_outdated: problem(
    409,
    'Change request outdated',
    'An affected resource or the requester has changed since the change request was created. The detail names the difference. Nothing was changed. Reject the change request; the requester can create a new one.',
  ),
  change_too_large: problem(
    422,
    'Change too large to approve',
    'The change needs approval, but is too large to be shown completely to an approver. Split it into several smaller changes, such as one for each proxy. A change request of a development version that shows only the length of values is also refused: reject it and create a new one.',
  ),
  deletions_unconfirmed: problem(
    400,
    'Deletions unconfirmed',
    'Applying the documents would delete more resources than allowed without confirmation. Check the plan. To delete them, send `allow_deletes` with their number.',
  ),
  confirmation_required: problem(
    400,
    'Confirmation required',
    'The operation cannot be undone. Send `confirm` with the slug of the resource.',
  ),
  configuration_invalid: problem(
    422,
    'Configuration invalid',
    'The input is well-formed, but the resulting configuration would not work. `errors` gives the reasons. Nothing was stored.',
  ),
  idempotency_conflict: problem(
    409,
    'Idempotency conflict',
    'The idempotency key was used for a different request. Use a new key.',
  ),
  secret_already_shown: problem(
    409,
    'Secret already shown',
    'The repeated call would return a secret that is shown only once, in the first response. Rotate the credential to get a new secret.',
  ),
  store_unavailable: problem(
    503,
    'Store unavailable',
    'The configuration store is unavailable: its disk is full, or its file is missing, replaced or damaged. The detail names the fault. The gateway serves requests with the last known configuration, but the configuration cannot change until the store is available again.',
  ),
  key_file_unusable: problem(
    503,
    'Key file unusable',
    'The encryption keys cannot be changed: the key file is missing, was changed, or cannot be replaced. Nothing was changed, and secrets can still be decrypted. The detail names the file and the fix.',
  ),
  nodes_running: problem(
    409,
    'Other nodes running',
    'The operation changes a file that each node has a copy of, such as the key file, and other nodes use the database. The detail names them. Stop these nodes, repeat the operation, copy the file to them, and start them.',
  ),
  records_unavailable: problem(
    503,
    'Records unavailable',
    'The store of request records did not respond in time. The gateway still serves and records requests. Try again, or query a shorter time.',
  ),
  unsupported_media_type: problem(
    415,
    'Unsupported media type',
    'The media type of the body is not supported here. Unless the detail names another type, the body must be uncompressed JSON in UTF-8. Send `Content-Type: application/json`.',
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

/** Start cannot go on. The message is the one sentence that the operator reads, and it names the fix. */
export class CannotStart extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CannotStart'
  }
}

/** What was thrown, for the process log: with its stack, and with what a refusal does not tell its caller. */
export function faultText(error: unknown): string {
  const inner = error instanceof Refusal && error.facts.inner !== undefined ? ` (${error.facts.inner})` : ''
  return error instanceof Error ? (error.stack ?? error.message) + inner : String(error)
}
