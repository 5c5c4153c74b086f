import { contentHash } from '../../base/canonical.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/yield.ts'
import type { ClientSpec } from '../../model/client.ts'
import type { CollectionSpec } from '../../model/collection.ts'
import type { CredentialAuth } from '../../model/credential.ts'
import { idsWithSealedHeaders } from '../../model/injected-header.ts'
import type { PolicySpec } from '../../model/policy.ts'
import type { ProfileSpec } from '../../model/profile.ts'
import type { ProxySpec } from '../../model/proxy.ts'
import {
  compileClient,
  compileCollection,
  compileContracts,
  compileCredential,
  compilePolicy,
  compileSchemas,
  type Desired,
} from '../../snapshot/compile/compile.ts'
import { type Fragment, type FragmentKey, keyOf, type SnapshotDelta } from '../../snapshot/fragments.ts'
import {
  type ConfigReader,
  type ConfigStore,
  isSigningSecret,
  type Resource,
  type StoredToken,
} from '../../store/ports/config.ts'
import { type CompileReader, readWhole } from './config-in-memory.ts'
import type { Changed } from './diff.ts'

/** What a piece of the desired state compiles to. */
interface Compiled {
  readonly put: readonly Fragment[]
  readonly drop: readonly FragmentKey[]
}

/** The resource types that have fragments of their own; proxies and profiles are part of their parent's. */
type Root = 'collections' | 'clients' | 'policies' | 'credentials'

const FRAGMENT_KINDS = {
  collections: 'collection',
  clients: 'client',
  policies: 'policy',
  credentials: 'credential',
} as const satisfies Record<Root, Fragment['kind']>

const ROOTS: readonly Root[] = ['policies', 'credentials', 'collections', 'clients']

/** The root whose fragments change with a resource; null for what gateway threads do not serve. */
function rootOf({ type, id, parent }: Resource): { type: Root; id: string } | null {
  if (type === 'proxies') return { type: 'collections', id: parent! }
  if (type === 'profiles') return { type: 'clients', id: parent! }
  const root = ROOTS.find((one) => one === type)
  return root === undefined ? null : { type: root, id }
}

/** Compiles one root as it stands now; what is gone or not published is dropped. */
export async function compileRoot(reader: CompileReader, type: Root, id: string): Promise<Compiled> {
  const resource = await reader.byId(type, id)
  if (type === 'collections') return compileCollectionOf(reader, id, resource)
  if (resource === undefined) return { put: [], drop: [`${FRAGMENT_KINDS[type]}:${id}`] }
  if (type === 'policies') return { put: [compilePolicy(desired<PolicySpec>(resource))], drop: [] }
  if (type === 'clients') return { put: [await compileClientOf(reader, resource)], drop: [] }
  const secrets = await reader.secretsOf([id])
  const sealed = Object.fromEntries(secrets.map((secret) => [secret.field, secret.sealed]))
  return { put: [compileCredential(desired<{ auth: CredentialAuth }>(resource), sealed)], drop: [] }
}

async function compileCollectionOf(
  reader: CompileReader,
  id: string,
  resource: Resource | undefined,
): Promise<Compiled> {
  if (resource?.status !== 'published') return { put: [], drop: [`collection:${id}`, `contracts:${id}`] }
  const collection = desired<CollectionSpec>(resource)
  const below = await reader.all('proxies', id)
  const proxies = below.map((proxy) => desired<ProxySpec>(proxy))
  const owners = idsWithSealedHeaders([resource, ...below])
  const sealed = owners.length === 0 ? [] : await reader.secretsOf(owners)
  const put: Fragment[] = [
    compileCollection(collection, proxies, sealed),
    compileContracts(collection, proxies),
  ]
  const { schemas } = collection.spec
  const json = schemas === null ? undefined : await reader.schema(schemas)
  // Shared schemas go first, so that the contracts that point into them never lead nowhere.
  if (schemas !== null && json !== undefined) put.unshift(compileSchemas(schemas, json))
  return { put, drop: [] }
}

async function compileClientOf(reader: CompileReader, resource: Resource): Promise<Fragment> {
  const profiles = await reader.all('profiles', resource.id)
  const ids = profiles.map((profile) => profile.id)
  const tokens = (await reader.tokensOf(ids)).filter((token) => token.revoked_at === null)
  const sealed = await reader.secretsOf(ids)
  return compileClient(
    desired<ClientSpec>(resource),
    profiles.map((profile) => ({
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
  )
}

function toTokenFragment({ id, lookup, hash, expires_at, retires_at }: StoredToken) {
  return { id, lookup, hash, expires_at, retires_at }
}

/** The stored spec is the parsed one with ids for references, so it has the type of the model. */
function desired<S>({ id, slug, spec }: Resource): Desired<S> {
  return { id, slug, spec: spec as S }
}

/**
 * Compiles what changed, each root once.
 * @param check judges a fragment as gateway threads will; what it finds refuses the change
 */
export async function compileChanges(
  reader: ConfigReader,
  changes: readonly Pick<Changed, 'before' | 'after'>[],
  check: (fragment: Fragment) => readonly FieldError[],
): Promise<Compiled> {
  const put: Fragment[] = []
  const drop: FragmentKey[] = []
  const errors: FieldError[] = []
  for (const [index, { type, id }] of rootsOf(changes).entries()) {
    const compiled = await compileRoot(reader, type, id)
    put.push(...compiled.put)
    drop.push(...compiled.drop)
    errors.push(...compiled.put.flatMap((fragment) => check(fragment)))
    await yieldThread(index + 1)
  }
  if (errors.length > 0)
    throw refuse('configuration_invalid', {
      detail: `The configuration would not work: ${errors[0]!.reason}.`,
      errors,
    })
  for (const { before, after } of changes) {
    const schemas = before?.type === 'collections' ? before.spec['schemas'] : null
    if (typeof schemas !== 'string') continue
    if (after?.spec['schemas'] !== schemas || after.status !== 'published')
      drop.push(...(await unusedSchemas(reader, schemas)))
  }
  return { put, drop }
}

function rootsOf(changes: readonly Pick<Changed, 'before' | 'after'>[]) {
  const roots = changes.map(({ before, after }) => rootOf((after ?? before)!)).filter((root) => root !== null)
  return [...new Map(roots.map((root) => [root.id, root])).values()]
}

/** What holds the secrets of these owners, as it stands; what did not work before stays closed. */
export async function compileResealed(
  reader: ConfigReader,
  owners: readonly string[],
): Promise<readonly Fragment[]> {
  const roots = new Map<string, NonNullable<ReturnType<typeof rootOf>>>()
  for (const owner of owners) {
    const resource = await ownerOf(reader, owner)
    const root = resource === undefined ? null : rootOf(resource)
    if (root !== null) roots.set(root.id, root)
  }
  const put: Fragment[] = []
  for (const root of roots.values()) put.push(...(await compileOrClose(reader, root)))
  return put
}

async function ownerOf(reader: ConfigReader, id: string): Promise<Resource | undefined> {
  for (const type of ['credentials', 'profiles', 'collections', 'proxies'] as const) {
    const found = await reader.byId(type, id)
    if (found !== undefined) return found
  }
  return undefined
}

/** Schemas that only the collection in its earlier state used. */
async function unusedSchemas(reader: ConfigReader, hash: string): Promise<FragmentKey[]> {
  const users = await reader.list({
    type: 'collections',
    limit: 1,
    where: { schemas: hash, status: 'published' },
  })
  return users.length === 0 ? [`schemas:${hash}`] : []
}

/** The delta of fragments that changed. */
export function toDelta(
  revision: number,
  full: boolean,
  put: readonly Fragment[],
  drop: readonly FragmentKey[],
): SnapshotDelta {
  const unique = new Map(put.map((fragment) => [keyOf(fragment), fragment]))
  return {
    revision,
    full,
    put: [...unique].map(([key, fragment]) => ({ key, hash: contentHash(fragment), fragment })),
    drop: drop.filter((key) => !unique.has(key)),
  }
}

/**
 * What does not compile although it was stored (a damaged row) must not keep everything else from starting. It is
 * sent without the members that were not understood, so that linking closes it and says so in the readiness report.
 */
async function compileOrClose(
  reader: CompileReader,
  { type, id: root }: { readonly type: Root; readonly id: string },
): Promise<readonly Fragment[]> {
  try {
    return (await compileRoot(reader, type, root)).put
  } catch {
    const { id, slug, name, spec } = (await reader.byId(type, root))!
    const { base_path, hosts } = spec
    const bare = { kind: FRAGMENT_KINDS[type], id, slug, name, base_path, hosts }
    // It is no whole fragment, on purpose: linkers check what they are given and quarantine it.
    return [bare as unknown as Fragment]
  }
}

/**
 * The whole configuration for a thread that starts. `done` runs before any later change can be published, so that
 * a thread that is registered there misses none.
 */
export function fullDelta(store: ConfigStore, done?: (delta: SnapshotDelta) => void): Promise<SnapshotDelta> {
  return store.still(async (reader) => {
    const put: Fragment[] = []
    const held = await readWhole(reader)
    for (const type of ROOTS)
      for (const { id } of await held.all(type)) put.push(...(await compileOrClose(held, { type, id })))
    return toDelta(await reader.revision(), true, put, [])
  }, done)
}
