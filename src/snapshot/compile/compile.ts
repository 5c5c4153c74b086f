/** Compiles the desired state to fragments. Pure: the same state gives the same fragments. All references are ids. */
import { toMs } from '../../base/clock.ts'
import type { ClaimRule } from '../../base/crypto/jwt.ts'
import { withoutPause } from '../../base/threads/time-slices.ts'
import {
  type ClientSpec,
  type JwtAuth,
  KEY_ALGS,
  type OidcAuth,
  type ProfileSpec,
  SECRET_ALGS,
  toClaimRule,
} from '../../model/access/profile.ts'
import {
  CHECKED_SWITCHES,
  type CheckedSwitches,
  type CollectionSpec,
  type Cors,
} from '../../model/api/collection.ts'
import { type CredentialType, previousUntil, secretFieldsOf } from '../../model/api/credential.ts'
import { type LimitSpec, limitsOf, type PolicySpec } from '../../model/api/policy.ts'
import { GraphqlLimits, type ProxySpec } from '../../model/api/proxy.ts'
import type {
  ClientFragment,
  CollectionFragment,
  Contract,
  ContractFragment,
  ContractsFragment,
  CorsFragment,
  CredentialFragment,
  FeaturesFragment,
  KeysFragment,
  LimitFragment,
  PolicyFragment,
  ProfileFragment,
  ProxyFragment,
  SchemasFragment,
  SigningSecretFragment,
  TokenFragment,
  VerifyFragment,
} from '../fragments.ts'
import { partsOf } from '../link/credential.ts'
import { compileCertificates } from './certificates.ts'
import { compileHeaders, compileSecretHeaders, type SealedHeader } from './secret-headers.ts'
import { compileTimeouts, compileUpstream } from './upstream.ts'
import { compileOwnWorkflow } from './workflow.ts'

/** A resource of the desired state. */
export interface Desired<S> {
  readonly id: string
  readonly slug: string
  readonly spec: S
}

export interface DesiredProfile extends Desired<ProfileSpec> {
  /** Tokens that were not revoked. */
  readonly tokens: readonly TokenFragment[]
  /** Signing secrets that were not revoked. */
  readonly secrets: readonly SigningSecretFragment[]
}

/**
 * A published collection and those of its proxies that are published.
 * @param sealed what the store has of the secrets of their headers
 */
export function compileCollection(
  { id, slug, spec }: Desired<CollectionSpec>,
  proxies: readonly Desired<ProxySpec>[],
  sealed: readonly SealedHeader[] = [],
): CollectionFragment {
  return {
    kind: 'collection',
    id,
    slug,
    name: spec.name,
    description: spec.description,
    tags: spec.tags,
    base_path: spec.base_path,
    hosts: spec.hosts,
    upstream: spec.upstream && compileUpstream(spec.upstream),
    headers: compileHeaders({ id, spec }),
    credential: spec.credential,
    policy: spec.policy,
    body_bytes_max: spec.max_body,
    // Specs stored by earlier versions lack the newer members.
    cors: spec.cors == null ? null : compileCors(spec.cors),
    ...((spec.pass_headers ?? []).length === 0 ? {} : { pass_headers: spec.pass_headers }),
    ...(spec.key_places == null ? {} : { key_places: spec.key_places }),
    ...switchesOf(spec),
    ...((spec.teams ?? []).length === 0 || spec.all_users ? {} : { teams: spec.teams }),
    proxies: published(proxies).map((proxy) => compileProxy(proxy, spec)),
    ...compileSecretHeaders([{ id, spec }, ...published(proxies)], sealed),
  }
}

/** The switches that are on. */
function switchesOf(spec: CollectionSpec): CheckedSwitches {
  return Object.fromEntries(
    CHECKED_SWITCHES.filter((name) => spec[name] === true).map((name) => [name, true]),
  )
}

function published(proxies: readonly Desired<ProxySpec>[]): Desired<ProxySpec>[] {
  return proxies.filter((proxy) => proxy.spec.status === 'published')
}

function compileProxy(
  { id, slug, spec }: Desired<ProxySpec>,
  // Specs stored by earlier versions lack them
  {
    request_validation = 'enforce',
    response_validation = 'report',
  }: Pick<CollectionSpec, 'request_validation' | 'response_validation'>,
): ProxyFragment {
  return {
    id,
    slug,
    name: spec.name,
    tags: spec.tags,
    methods: spec.methods,
    path: spec.path,
    target_path: spec.target_path ?? spec.path,
    headers: compileHeaders({ id, spec }),
    credential: spec.credential,
    policy: spec.policy,
    deprecated: spec.deprecated,
    contract: compileContract(spec, request_validation),
    features: compileFeatures(spec, response_validation),
    ...(spec.timeouts == null ? {} : { timeouts: compileTimeouts(spec.timeouts) }),
    ...(spec.workflow == null ? {} : { workflow: compileOwnWorkflow(spec.workflow) }),
  }
}

/** What `inspect_contract` shows of the published proxies of a collection. */
export function compileContracts(
  collection: Desired<CollectionSpec>,
  proxies: readonly Desired<ProxySpec>[],
): ContractsFragment {
  return withoutPause(contractsPaused(collection, proxies))
}

/** The same, with a pause after each proxy. */
export function* contractsPaused(
  collection: Desired<CollectionSpec>,
  proxies: readonly Desired<ProxySpec>[],
): Generator<void, ContractsFragment> {
  const members: string[] = []
  for (const { id, spec } of published(proxies)) {
    const contract: Contract = {
      description: spec.description,
      operation_id: spec.operation_id,
      parameters: spec.parameters,
      request_schema: spec.request_schema,
      ...(spec.request_schemas === undefined ? {} : { request_schemas: spec.request_schemas }),
      request_types: spec.request_types ?? [],
      request_required: spec.request_required ?? true,
      response_schema: spec.response_schema,
      ...(spec.request_example === undefined ? {} : { request_example: spec.request_example }),
      ...(spec.response_example === undefined ? {} : { response_example: spec.response_example }),
      ...(spec.mcp == null ? {} : { mcp: spec.mcp }),
      ...(Object.keys(spec.contracts ?? {}).length === 0 ? {} : { by_method: spec.contracts }),
    }
    members.push(`${JSON.stringify(id)}:${JSON.stringify(contract)}`)
    yield
  }
  const { schemas } = collection.spec
  return {
    kind: 'contracts',
    id: collection.id,
    schemas: schemas === null ? null : `schemas:${schemas}`,
    json: `{${members.join()}}`,
  }
}

/** Shared schemas, known by their content hash. */
export function compileSchemas(hash: string, json: string): SchemasFragment {
  return { kind: 'schemas', id: hash, json }
}

/** A client and all its profiles. */
export function compileClient(
  { id, slug, spec }: Desired<ClientSpec>,
  profiles: readonly DesiredProfile[],
): ClientFragment {
  return {
    kind: 'client',
    id,
    slug,
    name: spec.name,
    active: spec.active,
    valid_until: spec.valid_until === null ? null : Date.parse(spec.valid_until),
    collections: spec.collections,
    ...((spec.virtual_mcps ?? []).length === 0 ? {} : { virtual_mcps: spec.virtual_mcps }),
    policy: spec.policy,
    profiles: profiles.map((profile) => compileProfile(profile, slug)),
  }
}

function compileProfile(
  { id, slug, spec, tokens, secrets }: DesiredProfile,
  client: string,
): ProfileFragment {
  // Specs stored by earlier versions lack them
  const { mcp_search = 'auto', mcp_view = 'compact', agent_sign_in = null } = spec
  return {
    id,
    slug,
    name: spec.name,
    active: spec.active,
    auth: spec.auth.type,
    tokens: spec.auth.type === 'token' ? tokens : [],
    verify: compileVerify(spec.auth, client, secrets),
    ...(spec.auth.type === 'mtls' ? { certificates: compileCertificates(spec.auth) } : {}),
    allowed_methods: spec.allowed_methods,
    ip_allowlist: spec.ip_allowlist,
    collections: spec.collections,
    endpoints: spec.endpoints,
    policy: spec.policy,
    forward_identity: spec.forward_identity,
    ...(mcp_search === 'auto' ? {} : { mcp_search }),
    ...(mcp_view === 'compact' ? {} : { mcp_view }),
    ...(agent_sign_in === null ? {} : { agent_sign_in }),
  }
}

/** A policy; windows become milliseconds. What is not set is left out. */
export function compilePolicy({ id, slug, spec }: Desired<PolicySpec>): PolicyFragment {
  return {
    kind: 'policy',
    id,
    slug,
    active: spec.active,
    limits: limitsOf(spec).map(compileLimit),
    ...(spec.x_ratelimit === true ? { x_ratelimit: true } : {}),
    ...(spec.accuracy === 'exact' ? { exact: true } : {}),
    ...(spec.on_store_failure === undefined || spec.on_store_failure === 'local'
      ? {}
      : { on_store_failure: spec.on_store_failure }),
  }
}

function compileLimit(limit: LimitSpec): LimitFragment {
  const { name, kind, max, window, burst, rolling, timezone, wait, key, cost, mode, count } = limit
  return {
    name,
    kind,
    max,
    window_ms: window === undefined ? 0 : toMs(window),
    ...(burst === undefined ? {} : { burst }),
    ...(rolling === true ? { rolling } : {}),
    ...(timezone === undefined || timezone === 'UTC' ? {} : { timezone }),
    ...(wait === undefined ? {} : { wait_ms: toMs(wait) }),
    ...(key === undefined ? {} : { key }),
    ...(cost === undefined || cost === 1 ? {} : { cost }),
    ...(mode === 'observe' ? { observe: true } : {}),
    ...(count === undefined
      ? {}
      : { count: count.map((range) => [Number(range.slice(0, 3)), Number(range.slice(-3))] as const) }),
  }
}

/**
 * A credential; `settings` are its plain fields, `sealed` the ciphertexts of its secret ones, `references` say where the
 * others are read.
 */
export function compileCredential(
  { id, slug, spec }: Desired<{ readonly auth: { readonly type: CredentialType } }>,
  sealed: Readonly<Record<string, string>>,
): CredentialFragment {
  const { type, settings, references } = partsOf(spec.auth)
  const fields = secretFieldsOf({ type, auth_method: settings['auth_method'] })
  const used = Object.entries(sealed).filter(([field]) => fields.includes(field))
  return {
    kind: 'credential',
    id,
    slug,
    type,
    settings,
    sealed: Object.fromEntries(used),
    ...previousOf(sealed),
    ...(Object.keys(references).length === 0 ? {} : { references }),
  }
}

function previousOf(sealed: Readonly<Record<string, string>>): Pick<CredentialFragment, 'previous'> {
  for (const [field, text] of Object.entries(sealed)) {
    const until = previousUntil(field)
    if (until !== null) return { previous: { until, field, sealed: text } }
  }
  return {}
}

// Compiles the optional features of a proxy: CORS, contract, cache, idempotency and more.

/** Cross-origin rules; ages become seconds. */
function compileCors(cors: Cors): CorsFragment {
  const { origins, methods, headers, expose, credentials } = cors
  return { origins, methods, headers, expose, credentials, max_age_s: Math.floor(toMs(cors.max_age) / 1000) }
}

/** How requests are held to the contract; null where there is nothing to hold them to. */
function compileContract(
  spec: ProxySpec,
  inherited: CollectionSpec['request_validation'],
): ContractFragment | null {
  // Specs stored by earlier versions lack the newer members.
  const { request_validation = 'inherit', strict_query = false } = spec
  const mode = request_validation === 'inherit' ? inherited : request_validation
  if (mode === 'off' || !hasContract(spec)) return null
  return { mode, strict_query }
}

function hasContract(spec: ProxySpec): boolean {
  return (
    spec.strict_query === true ||
    [spec, ...Object.values(spec.contracts ?? {})].some(
      ({ parameters, request_schema, request_schemas, request_types }) =>
        (parameters ?? []).some(isChecked) ||
        request_schema != null ||
        request_schemas != null ||
        (request_types ?? []).length > 0,
    )
  )
}

/** A path parameter that may be any text needs no look: it matched. */
function isChecked(parameter: ProxySpec['parameters'][number]): boolean {
  const { type, pattern, min, max } = parameter
  if (parameter.in !== 'path') return true
  return (
    type !== 'string' ||
    parameter.schema !== undefined ||
    pattern !== undefined ||
    parameter.enum !== undefined ||
    min !== undefined ||
    max !== undefined
  )
}

/** The optional features of a proxy; null when none is on. */
function compileFeatures(
  spec: ProxySpec,
  inherited: CollectionSpec['response_validation'],
): FeaturesFragment | null {
  const { cache = null, idempotency = false, response_validation = 'inherit' } = spec
  const mode = response_validation === 'inherit' ? inherited : response_validation
  const isGraphql = spec.kind === 'graphql'
  const isWebSocket = spec.kind === 'websocket'
  const gathers = spec.streaming === 'never'
  const judges =
    mode !== 'off' &&
    !isWebSocket &&
    [spec, ...Object.values(spec.contracts ?? {})].some(({ response_schema }) => response_schema != null)
  if (cache === null && !idempotency && !judges && !isGraphql && !isWebSocket && !gathers) return null
  return {
    gathers,
    response_validation: judges ? mode : 'off',
    cache:
      cache === null
        ? null
        : {
            ttl_ms: toMs(cache.ttl),
            vary: cache.vary,
            scope: cache.scope,
            stale_if_error_ms: cache.stale_if_error === null ? 0 : toMs(cache.stale_if_error),
          },
    idempotency,
    graphql: isGraphql ? (spec.graphql ?? GraphqlLimits.parse({})) : null,
    ...(isWebSocket ? { websocket: true as const } : {}),
  }
}

// Compiles the settings for signed tokens of a profile to its fragment. Pure.

/** Null for types without signed tokens. `client` is the slug that stands for an issuer that is not given. */
function compileVerify(
  auth: ProfileSpec['auth'],
  client: string,
  secrets: readonly SigningSecretFragment[],
): VerifyFragment | null {
  if (auth.type === 'jwt') return compileJwt(auth, client, secrets)
  return auth.type === 'oidc' ? compileOidc(auth) : null
}

function compileJwt(
  auth: JwtAuth,
  client: string,
  secrets: readonly SigningSecretFragment[],
): VerifyFragment {
  const all: readonly string[] = auth.mode === 'secret' ? SECRET_ALGS : KEY_ALGS
  return {
    issuer: auth.issuer ?? client,
    audience: auth.audience,
    algs: auth.algs.length === 0 ? all : auth.algs.filter((alg) => all.includes(alg)),
    skew_ms: toMs(auth.skew),
    lifetime_ms_max: toMs(auth.max_lifetime),
    required_claims: rulesOf(auth.required_claims),
    required_scopes: [],
    match: [],
    accept_id_tokens: true,
    once: auth.jti_replay,
    claims: auth.claims,
    keys: keysOf(auth, secrets),
    introspection: null,
  }
}

function keysOf(auth: JwtAuth, secrets: readonly SigningSecretFragment[]): KeysFragment {
  if (auth.mode === 'secret') return { from: 'secrets', secrets }
  // The check of the profile has refused the mode without its URL.
  if (auth.mode === 'jwks_url') return { from: 'jwks', url: auth.jwks_url ?? '' }
  const keys = auth.keys.map(({ retires_at, ...jwk }) => ({
    jwk,
    retires_at: retires_at == null ? null : Date.parse(retires_at),
  }))
  return { from: 'profile', keys }
}

function compileOidc(auth: OidcAuth): VerifyFragment {
  const { introspection_credential: credential, introspection_url: url } = auth
  return {
    issuer: auth.issuer,
    audience: auth.audience,
    algs: auth.algs.length === 0 ? KEY_ALGS : auth.algs,
    skew_ms: toMs(auth.skew),
    lifetime_ms_max: null,
    required_claims: rulesOf(auth.required_claims),
    required_scopes: auth.required_scopes,
    match: auth.match.map(toClaimRule),
    accept_id_tokens: auth.accept_id_tokens,
    once: false,
    claims: auth.claims,
    keys: { from: 'discovery', url: auth.issuer },
    introspection: credential === null ? null : { credential, url },
  }
}

function rulesOf(claims: JwtAuth['required_claims']): ClaimRule[] {
  return Object.entries(claims).map(([claim, value]) => ({
    claim,
    values: Array.isArray(value) ? value : [value],
    glob: null,
  }))
}
