/** The resources that are read for compiling: one row for each type that has fragments of its own. */
import { HASH_KEY } from '../../guardrails/rule.ts'
import type { TeamSpec, UserSpec } from '../../model/access/access.ts'
import { type BindingSpec, fingerprintOfKeys, type HostSpec } from '../../model/access/host.ts'
import type { ClientSpec, ProfileSpec } from '../../model/access/profile.ts'
import type { CollectionSpec } from '../../model/api/collection.ts'
import type { CredentialAuth } from '../../model/api/credential.ts'
import type { GuardrailSpec } from '../../model/api/guardrail.ts'
import { idsWithSealedHeaders } from '../../model/api/injected-header.ts'
import type { PolicySpec } from '../../model/api/policy.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import { CATALOGUE, type CatalogueState, EMPTY_CATALOGUE } from '../../model/mcp/capability-drift.ts'
import type { OriginSpec } from '../../model/mcp/origin.ts'
import type { PublicNames } from '../../model/mcp/public-names.ts'
import type { VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { WorkflowSpec } from '../../model/workflow/workflow.ts'
import { type ConfigReader, isSigningSecret, type StoredToken } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type {
  Fragment,
  FragmentKind,
  HostFragment,
  PersonFragment,
  ProfileFragment,
  TeamFragment,
  TokenFragment,
} from '../fragments.ts'
import { type Offer, offeredBy } from '../offer/endpoint-catalogue.ts'
import { selectionOf } from './capability-rules.ts'
import type { Desired, DesiredProfile } from './compile.ts'
import type { NamedSource, VirtualMcpSource } from './mcp.ts'
import type { SealedHeader } from './secret-headers.ts'

/** What compiling asks of the configuration. */
export type CompileReader = Pick<
  ConfigReader,
  'byId' | 'all' | 'tokensOf' | 'secretsOf' | 'statesOf' | 'schema'
>

/** What the fragments of a resource are compiled from, by its type. */
export interface Sources {
  policies: Desired<PolicySpec>
  credentials: {
    readonly credential: Desired<{ readonly auth: CredentialAuth }>
    /** Ciphertexts of its secret fields. */
    readonly sealed: Readonly<Record<string, string>>
  }
  collections: {
    readonly collection: Desired<CollectionSpec>
    readonly proxies: readonly Desired<ProxySpec>[]
    readonly sealed: readonly SealedHeader[]
    /** JSON of its shared schemas; undefined without. */
    readonly schemas: string | undefined
  }
  clients: { readonly client: Desired<ClientSpec>; readonly profiles: readonly DesiredProfile[] }
  origins: {
    readonly origin: Desired<OriginSpec>
    /** What the last probe has found; null before the first. */
    readonly found: CatalogueState | null
    /** Of an origin of kind `collection`, the collection; null while it is not published. */
    readonly offer: Offer | null
  }
  virtual_mcps: VirtualMcpSource
  hosts: HostSource
  users: Desired<UserSpec>
  teams: Desired<TeamSpec>
  workflows: Desired<WorkflowSpec>
  guardrails: {
    readonly guardrail: Desired<GuardrailSpec>
    /** Ciphertext of the key of its hashes; undefined without. */
    readonly sealedKey: string | undefined
  }
}

export type SourceType = keyof Sources

export interface SourceRow<T extends SourceType> {
  /** The kind of fragment that stands for the resource: it is closed where the resource does not compile. */
  readonly kind: FragmentKind
  /** Resources below it that are part of its fragments. */
  readonly parts: ResourceType | null
  /** Types, of those two, that have secrets in the store. */
  readonly sealed: readonly ResourceType[]
  /** Null for a resource that is not served. */
  readonly read: (reader: CompileReader, resource: Resource) => Promise<Sources[T] | null>
}

/** In the order in which all of them are compiled. */
export const SOURCES: { readonly [T in SourceType]: SourceRow<T> } = {
  policies: { kind: 'policy', parts: null, sealed: [], read: async (_reader, policy) => desired(policy) },
  credentials: { kind: 'credential', parts: null, sealed: ['credentials'], read: readCredential },
  collections: {
    kind: 'collection',
    parts: 'proxies',
    sealed: ['collections', 'proxies'],
    read: readCollection,
  },
  clients: { kind: 'client', parts: 'profiles', sealed: ['profiles'], read: readClient },
  origins: { kind: 'origin', parts: null, sealed: [], read: readOrigin },
  virtual_mcps: { kind: 'virtual_mcp', parts: null, sealed: [], read: readVirtualMcp },
  hosts: { kind: 'host', parts: 'bindings', sealed: [], read: readHost },
  users: { kind: 'person', parts: null, sealed: [], read: readOwn },
  teams: { kind: 'team', parts: null, sealed: [], read: readOwn },
  workflows: { kind: 'workflow', parts: null, sealed: [], read: readOwn },
  guardrails: { kind: 'guardrail', parts: null, sealed: ['guardrails'], read: readGuardrail },
}

async function readHost(reader: CompileReader, resource: Resource): Promise<HostSource> {
  const bindings = await reader.all('bindings', resource.id)
  const tokens = (await reader.tokensOf(bindings.map(({ id }) => id))).filter(
    ({ revoked_at }) => revoked_at === null,
  )
  return {
    host: desired(resource),
    bindings: bindings.map((binding) => ({
      ...desired<BindingSpec>(binding),
      tokens: tokens.filter(({ profile }) => profile === binding.id).map(toTokenFragment),
    })),
  }
}

/** A resource that is compiled of itself alone. */
async function readOwn<S>(_reader: CompileReader, resource: Resource): Promise<Desired<S>> {
  return desired<S>(resource)
}

/** Null for an inactive guardrail, which does nothing. */
async function readGuardrail(
  reader: CompileReader,
  resource: Resource,
): Promise<Sources['guardrails'] | null> {
  if (resource.spec['active'] !== true) return null
  const key = (await reader.secretsOf([resource.id])).find(({ field }) => field === HASH_KEY)
  return { guardrail: desired(resource), sealedKey: key?.sealed }
}

async function readCredential(reader: CompileReader, resource: Resource): Promise<Sources['credentials']> {
  const secrets = await reader.secretsOf([resource.id])
  const sealed = Object.fromEntries(secrets.map((secret) => [secret.field, secret.sealed]))
  return { credential: desired(resource), sealed }
}

async function readCollection(
  reader: CompileReader,
  resource: Resource,
): Promise<Sources['collections'] | null> {
  if (resource.status !== 'published') return null
  const collection = desired<CollectionSpec>(resource)
  const below = await reader.all('proxies', resource.id)
  const owners = idsWithSealedHeaders([resource, ...below])
  const { schemas } = collection.spec
  return {
    collection,
    proxies: below.map((proxy) => desired<ProxySpec>(proxy)),
    sealed: owners.length === 0 ? [] : await reader.secretsOf(owners),
    schemas: schemas === null ? undefined : await reader.schema(schemas),
  }
}

async function readClient(reader: CompileReader, resource: Resource): Promise<Sources['clients']> {
  const profiles = await reader.all('profiles', resource.id)
  const ids = profiles.map((profile) => profile.id)
  const tokens = (await reader.tokensOf(ids)).filter((token) => token.revoked_at === null)
  const sealed = await reader.secretsOf(ids)
  return {
    client: desired(resource),
    profiles: profiles.map((profile) => ({
      ...desired<ProfileSpec>(profile),
      tokens: tokens
        .filter((token) => token.profile === profile.id && !isSigningSecret(token))
        .map(toTokenFragment),
      secrets: tokens
        .filter((token) => token.profile === profile.id && isSigningSecret(token))
        .flatMap(({ id, lookup, retires_at }) => {
          const secret = sealed.find((one) => one.owner === profile.id && one.field === id)
          return secret === undefined ? [] : [{ id, lookup, retires_at, sealed: secret.sealed }]
        }),
    })),
  }
}

async function readOrigin(reader: CompileReader, resource: Resource): Promise<Sources['origins']> {
  const [state] = await reader.statesOf([resource.id], CATALOGUE)
  // Written by operations/origins from this very type
  const found = state === undefined ? null : (JSON.parse(state.json) as CatalogueState)
  const origin = desired<OriginSpec>(resource)
  return { origin, found, offer: await readOffer(reader, origin.spec) }
}

async function readOffer(reader: CompileReader, { kind, collection: id }: OriginSpec): Promise<Offer | null> {
  if (kind !== 'collection' || id === null) return null
  const collection = await reader.byId('collections', id)
  return collection === undefined ? null : readCollection(reader, collection)
}

async function readVirtualMcp(
  reader: CompileReader,
  resource: Resource,
): Promise<Sources['virtual_mcps'] | null> {
  return resource.status === 'published' ? virtualMcpSource(reader, resource) : null
}

/**
 * What a virtual MCP is compiled from once it is published.
 * @param isWhole with the schemas of endpoints of collections, which names do not depend on
 */
export async function virtualMcpSource(
  reader: CompileReader,
  resource: Resource,
  isWhole = false,
): Promise<VirtualMcpSource> {
  const virtualMcp = desired<VirtualMcpSpec>(resource)
  const origins = new Map<string, NamedSource>()
  for (const { origin: id } of virtualMcp.spec.members) {
    const origin = await reader.byId('origins', id)
    if (origin === undefined) continue
    const { found, offer } = await readOrigin(reader, origin)
    const isOwn = origin.spec['kind'] === 'collection'
    const offered = offer === null ? null : offeredBy(offer, isWhole).catalogue
    const catalogue = (isOwn ? offered : found?.catalogue) ?? EMPTY_CATALOGUE
    const instructions = found?.verdict.instructions ?? ''
    origins.set(id, { slug: origin.slug, catalogue, instructions, isOwn })
  }
  // Written by operations/virtual-mcps from these very types
  const stateOf = async <T>(part: string, otherwise: T): Promise<T> => {
    const [state] = await reader.statesOf([resource.id], part)
    return state === undefined ? otherwise : (JSON.parse(state.json) as T)
  }
  return {
    virtualMcp,
    origins,
    names: await stateOf<PublicNames>(NAMES, NO_NAMES),
    approved: await stateOf<VirtualMcpSource['approved']>(APPROVED, {}),
  }
}

/** Names of the parts of a virtual MCP's state: its public names, and the hashes of what is approved. */
export const NAMES = 'names'
export const APPROVED = 'approved'

const NO_NAMES: PublicNames = { tools: [], prompts: [], resources: [], resource_templates: [] }

function toTokenFragment({ id, lookup, hash, expires_at, retires_at }: StoredToken) {
  return { id, lookup, hash, expires_at, retires_at }
}

/** The stored spec is the parsed one with ids for references, so it has the type of the model. */
function desired<S>({ id, slug, spec }: Resource): Desired<S> {
  return { id, slug, spec: spec as S }
}

// Marks restrictions that older linkers would ignore, so that these linkers close the fragment.

/** A restriction that older linkers would ignore. */
export interface Need<F extends Fragment = Fragment> {
  /** The form of fragments that has it, at most `FORM`. */
  readonly form: number
  /** Whether a fragment carries the restriction. */
  readonly when: (fragment: F) => boolean
}

/** A fragment that says which form its restrictions need; the fragment itself where all linkers know them. */
export function withNeeds<F extends Fragment>(fragment: F, rules: readonly Need<F>[] = []): F {
  const needs = Math.max(1, ...rules.filter(({ when }) => when(fragment)).map(({ form }) => form))
  return needs === 1 ? fragment : { ...fragment, needs }
}

// Compiles users, teams and hosts.

/** A binding with its tokens. */
interface DesiredBinding extends Desired<BindingSpec> {
  readonly tokens: readonly TokenFragment[]
}

export interface HostSource {
  readonly host: Desired<HostSpec>
  readonly bindings: readonly DesiredBinding[]
}

export function compileHost({ host: { id, slug, spec }, bindings }: HostSource): HostFragment {
  const { name, active } = spec
  const bound = bindings.length === 0 ? {} : { bindings: bindings.map(compileBinding) }
  return { kind: 'host', id, slug, name, active, ...bound }
}

function compileBinding({ id, slug, spec, tokens }: DesiredBinding): ProfileFragment {
  const { name, active, ip_allowlist, virtual_mcp, user } = spec
  // Specs stored by earlier versions lack them
  const { capabilities = null, acts_for = null, keys = [] } = spec
  return {
    ...SIGNED_IN,
    id,
    slug,
    name,
    active,
    auth: 'token',
    tokens,
    ip_allowlist,
    binding: {
      virtual_mcp,
      user,
      ...(capabilities === null ? {} : { only: selectionOf(capabilities) }),
      ...(acts_for === null ? {} : { acts_for }),
      ...(keys.length === 0 ? {} : { keys: fingerprintOfKeys(keys) }),
    },
  }
}

/** What a host has of a profile: no collection is called through it. */
const SIGNED_IN = {
  verify: null,
  allowed_methods: [],
  ip_allowlist: [],
  collections: null,
  endpoints: { allow: [], deny: [] },
  policy: null,
  forward_identity: false,
} as const

/** A user. Gateway threads get neither name nor address. */
export function compilePerson({ id, slug, spec: { active, groups } }: Desired<UserSpec>): PersonFragment {
  return { kind: 'person', id, slug, active, groups }
}

export function compileTeam({ id, slug, spec }: Desired<TeamSpec>): TeamFragment {
  const { parent, members, idp_groups: groups } = spec
  return { kind: 'team', id, slug, parent, members: members.map(({ user }) => user), groups }
}
