/** Compiles one resource to its fragments, and says which resources have fragments. */
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Fragment, FragmentKey, FragmentKind } from '../fragments.ts'
import { COMPILE, type CompileRow } from './kinds.ts'
import { type CompileReader, SOURCES, type SourceRow, type SourceType, withNeeds } from './sources.ts'

/** What a piece of the desired state compiles to. */
export interface Compiled {
  readonly put: readonly Fragment[]
  readonly drop: readonly FragmentKey[]
}

/** A resource that has fragments of its own. */
export interface Served {
  readonly type: SourceType
  readonly id: string
}

/** The types of resources that have fragments of their own, in the order in which all are compiled. */
export const SERVED_TYPES = Object.keys(SOURCES) as readonly SourceType[]

/** Types of resources whose secrets are parts of fragments. */
export const SEALED_TYPES = SERVED_TYPES.flatMap((type) => SOURCES[type].sealed)

const ROWS = Object.entries(COMPILE) as unknown as readonly [FragmentKind, CompileRow<FragmentKind>][]

function rowsFrom(type: string): readonly (readonly [FragmentKind, CompileRow<FragmentKind>])[] {
  return ROWS.filter(([, row]) => row.from === type)
}

/** The resource whose fragments change with one; null for what gateway threads do not serve. */
export function servedBy({ type, id, parent }: Resource): Served | null {
  const own = SERVED_TYPES.find((one) => one === type)
  if (own !== undefined) return { type: own, id }
  const above = SERVED_TYPES.find((one) => SOURCES[one].parts === type)
  return above === undefined ? null : { type: above, id: parent! }
}

/** Compiles one resource as it stands now; what is gone or not published is dropped. */
export async function compileResource(reader: CompileReader, { type, id }: Served): Promise<Compiled> {
  const resource = await reader.byId(type, id)
  const { read } = SOURCES[type] as SourceRow<SourceType>
  const source = resource === undefined ? null : await read(reader, resource)
  const rows = rowsFrom(type)
  if (source === null)
    return {
      put: [],
      drop: rows.flatMap(([kind, { unused }]) => (unused === undefined ? [`${kind}:${id}` as const] : [])),
    }
  const put: Fragment[] = []
  for (const [, row] of rows) {
    const fragment = await row.compile(source as never)
    if (fragment !== null) put.push(withNeeds(fragment, row.needs))
    // What a collection of thousands of endpoints becomes takes long, each by itself
    await yieldThread(1)
  }
  return { put, drop: [] }
}

/** Keys of fragments that several resources may share, and that none uses any more after a change of one. */
export async function unusedAfter(
  reader: Pick<ConfigReader, 'list'>,
  before: Resource,
  after: Resource | null,
): Promise<FragmentKey[]> {
  const keys: FragmentKey[] = []
  for (const [kind, { unused }] of rowsFrom(before.type))
    for (const id of (await unused?.(reader, before, after)) ?? []) keys.push(`${kind}:${id}`)
  return keys
}

/**
 * As {@link compileResource}, but what does not compile although it was stored (a damaged row) must not keep everything else from
 * starting. It is sent without the members that were not understood, so that linking closes it and says so in the readiness report.
 */
export async function compileOrClose(
  reader: CompileReader,
  served: Served,
): Promise<{ readonly put: readonly Fragment[]; readonly isClosed: boolean }> {
  try {
    return { put: (await compileResource(reader, served)).put, isClosed: false }
  } catch {
    const { id, slug, name, spec } = (await reader.byId(served.type, served.id))!
    const { base_path, hosts }: Fields = spec
    const bare = { kind: SOURCES[served.type].kind, id, slug, name, base_path, hosts }
    // It is no whole fragment, on purpose: linkers check what they are given and quarantine it.
    return { put: [bare as unknown as Fragment], isClosed: true }
  }
}

// Resources that are compiled from others: an origin of kind `collection` from the endpoints of its collection, and a virtual
// MCP from the catalogues of its origins.

type Reader = Pick<ConfigReader, 'list' | 'usersOf'>

/** Origins that are read at once. */
const PAGE = 500

/** What is to be compiled after the given resources have changed, besides themselves: origins, then virtual MCPs. */
export async function dependentsOf(reader: Reader, changed: readonly Served[]): Promise<readonly Served[]> {
  const idsOf = (type: Served['type']) => changed.filter((one) => one.type === type).map(({ id }) => id)
  const collections = new Set(idsOf('collections'))
  const origins = new Set([...idsOf('origins'), ...(await originsOver(reader, collections))])
  const virtualMcps = new Set<string>()
  for (const id of origins)
    for (const user of await reader.usersOf(id)) if (user.type === 'virtual_mcps') virtualMcps.add(user.id)
  const known = new Set(changed.map(({ id }) => id))
  return [
    ...[...origins].map((id): Served => ({ type: 'origins', id })),
    ...[...virtualMcps].map((id): Served => ({ type: 'virtual_mcps', id })),
  ].filter(({ id }) => !known.has(id))
}

async function originsOver(reader: Reader, collections: ReadonlySet<string>): Promise<readonly string[]> {
  const found: string[] = []
  if (collections.size === 0) return found
  for (let after: string | undefined; ; ) {
    const query = { type: 'origins', limit: PAGE, where: { kind: 'collection' } } as const
    const page = await reader.list(after === undefined ? query : { ...query, after })
    for (const { id, spec } of page) if (collections.has(String(spec['collection']))) found.push(id)
    after = page.at(-1)?.id
    if (after === undefined || page.length < PAGE) return found
  }
}
