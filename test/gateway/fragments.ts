import { mintToken } from '../../src/base/crypto/token.ts'
import { canonicalJson, contentHash } from '../../src/base/json/canonical.ts'
import type {
  ClientFragment,
  CollectionFragment,
  CredentialFragment,
  Fragment,
  FragmentKey,
  PolicyFragment,
  ProfileFragment,
  ProxyFragment,
  TokenFragment,
  UpstreamFragment,
  UpstreamRules,
} from '../../src/snapshot/fragments.ts'
import {
  createPacker,
  FragmentText,
  keyOf,
  type PackedSnapshot,
  type SnapshotDelta,
  type TextDelta,
} from '../../src/snapshot/packed-fragments.ts'

/** Fragments with everything that a test does not care about filled in. Ids follow from slugs. */
export function collection(slug: string, given: Partial<CollectionFragment> = {}): CollectionFragment {
  return {
    kind: 'collection',
    id: `col_${slug}`,
    slug,
    name: slug,
    description: '',
    tags: [],
    base_path: `/${slug}`,
    hosts: [],
    upstream: upstream(1),
    headers: [],
    credential: null,
    policy: null,
    body_bytes_max: 10_000,
    cors: null,
    proxies: [proxy('get-order', '/v1/orders/{id}')],
    ...given,
  }
}

/** One server, which nothing is held against. */
const NO_RULES: UpstreamRules = {
  balance: 'round_robin',
  hash_key: 'client',
  retries: 0,
  eject_after: 0,
  eject_ms: 0,
  active: null,
  breaker: null,
}

export function upstream(port: number, given: Partial<UpstreamFragment> = {}): UpstreamFragment {
  return {
    scheme: 'http',
    host: '127.0.0.1',
    port,
    path: '',
    authority: `127.0.0.1:${port}`,
    rules: NO_RULES,
    host_header: 'target',
    connect_ms: 2000,
    first_byte_ms: 5000,
    idle_ms: 5000,
    pool_max: 16,
    ...given,
  }
}

export function proxy(slug: string, path: string, given: Partial<ProxyFragment> = {}): ProxyFragment {
  return {
    id: `prx_${slug}`,
    slug,
    name: slug,
    tags: [],
    methods: ['GET'],
    path,
    target_path: path,
    headers: [],
    credential: 'inherit',
    policy: null,
    deprecated: false,
    contract: null,
    features: null,
    ...given,
  }
}

export function client(slug: string, given: Partial<ClientFragment> = {}): ClientFragment {
  return {
    kind: 'client',
    id: `cli_${slug}`,
    slug,
    name: slug,
    active: true,
    valid_until: null,
    collections: ['col_orders'],
    policy: null,
    profiles: [profile('open')],
    ...given,
  }
}

export function profile(slug: string, given: Partial<ProfileFragment> = {}): ProfileFragment {
  return {
    id: `pro_${slug}`,
    slug,
    name: slug,
    active: true,
    auth: 'none',
    tokens: [],
    verify: null,
    allowed_methods: [],
    ip_allowlist: [],
    collections: null,
    endpoints: { allow: [], deny: [] },
    policy: null,
    forward_identity: false,
    ...given,
  }
}

/** A new token and the fragment that knows it. @param kind of a profile, or of the binding of a host */
export function token(
  id: string,
  given: Partial<TokenFragment> = {},
  kind: 'pk' | 'ht' = 'pk',
): { readonly text: string; readonly fragment: TokenFragment } {
  const minted = mintToken(kind)
  return {
    text: minted.token,
    fragment: { id, lookup: minted.lookup, hash: minted.hash, expires_at: null, retires_at: null, ...given },
  }
}

export function policy(slug: string, limits: PolicyFragment['limits'], active = true): PolicyFragment {
  return { kind: 'policy', id: `pol_${slug}`, slug, active, limits }
}

export function rate(max: number, windowMs = 60_000, name = 'minute'): PolicyFragment['limits'][number] {
  return { name, kind: 'rate', max, window_ms: windowMs }
}

export function dailyQuota(max: number): PolicyFragment['limits'][number] {
  return { name: 'day', kind: 'quota', max, window_ms: 86_400_000 }
}

export function credential(
  slug: string,
  type: CredentialFragment['type'],
  settings: CredentialFragment['settings'],
  sealed: CredentialFragment['sealed'],
): CredentialFragment {
  return { kind: 'credential', id: `crd_${slug}`, slug, type, settings, sealed }
}

/** A delta that puts these fragments. */
export function delta(
  revision: number,
  put: readonly Fragment[],
  options: { readonly full?: boolean; readonly drop?: readonly FragmentKey[] } = {},
): SnapshotDelta {
  return {
    revision,
    full: options.full ?? false,
    put: put.map((fragment) => ({ key: keyOf(fragment), hash: contentHash(fragment), fragment })),
    drop: options.drop ?? [],
  }
}

/** A delta as the main thread has it. */
export function asTexts(given: SnapshotDelta): TextDelta {
  const put = given.put.map(({ key, hash, fragment }) => new FragmentText(key, hash, canonicalJson(fragment)))
  return { ...given, put }
}

/** A whole configuration as the main thread keeps it. */
export function packed(given: SnapshotDelta): PackedSnapshot {
  const packer = createPacker()
  for (const one of asTexts(given).put) packer.add(one)
  return { revision: given.revision, fragments: packer.done() }
}

/** The full delta of a whole configuration. */
export function unpacked({ revision, fragments }: PackedSnapshot): TextDelta {
  return { revision, full: true, put: [...fragments], drop: [] }
}
