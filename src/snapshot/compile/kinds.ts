/** The table of kinds of fragments, the half for the main thread. `snapshot/link/kinds.ts` is the half for gateway threads. */
import { packJsonBeside } from '../../base/json/canonical.ts'
import type { FieldError } from '../../base/refusal.ts'
import { inSlices } from '../../base/threads/time-slices.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { FragmentKind, Fragments } from '../fragments.ts'
import {
  checkClient,
  checkCollection,
  checkCredential,
  checkGuardrail,
  checkHost,
  checkJson,
  checkOrigin,
  checkPolicy,
  checkVirtualMcp,
  checkWorkflow,
} from './checks.ts'
import {
  compileClient,
  compileCollection,
  compileCredential,
  compilePolicy,
  compileSchemas,
  contractsPaused,
} from './compile.ts'
import { compileGuardrail } from './guardrail.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from './mcp.ts'
import type { Need } from './needs.ts'
import { compileHost, compilePerson, compileTeam } from './people.ts'
import type { Sources, SourceType } from './sources.ts'
import { compileWorkflow } from './workflow.ts'

/** How the main thread makes and checks the fragments of one kind. */
export interface CompileRow<K extends FragmentKind, T extends SourceType = SourceType> {
  /** The type of resource whose fragments they are; see `sources.ts`. */
  readonly from: T
  /** Pure: the same source gives the same fragment. Null where the source has none of the kind. */
  readonly compile: (source: Sources[T]) => Fragments[K] | null | Promise<Fragments[K]>
  /** Members that restrict and that older linkers do not know; none where the kind has no such member. */
  readonly needs?: readonly Need<Fragments[K]>[]
  /** What keeps a fragment from being served, with pointers into it; may throw instead. */
  readonly check: (fragment: Fragments[K]) => readonly FieldError[]
  /**
   * Only for a kind whose id is not that of the resource, since several resources may share a fragment: ids of those that none
   * uses any more once the resource is as it is now, null for gone.
   */
  readonly unused?: (
    reader: Pick<ConfigReader, 'list'>,
    before: Resource,
    after: Resource | null,
  ) => Promise<readonly string[]>
}

type Row<K extends FragmentKind> = { [T in SourceType]: CompileRow<K, T> }[SourceType]

/**
 * The half of the table of kinds that the main thread alone loads; `link/kinds.ts` is that of gateway threads. Fragments of one
 * resource are sent in this order: shared schemas before the contracts that point into them.
 */
export const COMPILE: { readonly [K in FragmentKind]: Row<K> } = {
  policy: { from: 'policies', compile: compilePolicy, check: checkPolicy },
  credential: {
    from: 'credentials',
    compile: ({ credential, sealed }) => compileCredential(credential, sealed),
    check: checkCredential,
  },
  schemas: {
    from: 'collections',
    compile: ({ collection: { spec }, schemas }) =>
      spec.schemas === null || schemas === undefined ? null : compileSchemas(spec.schemas, schemas),
    check: checkJson,
    unused: unusedSchemas,
  },
  collection: {
    from: 'collections',
    compile: ({ collection, proxies, sealed }) => compileCollection(collection, proxies, sealed),
    check: checkCollection,
  },
  contracts: {
    from: 'collections',
    compile: async ({ collection, proxies }) => {
      const fragment = await inSlices(contractsPaused(collection, proxies))
      return { ...fragment, json: await packJsonBeside(fragment.json) }
    },
    // It has just been written as JSON
    check: () => [],
  },
  client: {
    from: 'clients',
    compile: ({ client, profiles }) => compileClient(client, profiles),
    check: checkClient,
  },
  origin: {
    from: 'origins',
    compile: ({ origin, found }) => compileOrigin(origin, found),
    check: checkOrigin,
  },
  catalogue: {
    from: 'origins',
    compile: ({ origin, found, offer }) => compileCatalogue(origin, found, offer),
    check: checkJson,
  },
  virtual_mcp: { from: 'virtual_mcps', compile: compileVirtualMcp, check: checkVirtualMcp },
  host: {
    from: 'hosts',
    compile: compileHost,
    check: checkHost,
  },
  person: { from: 'users', compile: compilePerson, check: () => [] },
  team: { from: 'teams', compile: compileTeam, check: () => [] },
  workflow: { from: 'workflows', compile: compileWorkflow, check: checkWorkflow },
  guardrail: {
    from: 'guardrails',
    compile: ({ guardrail, sealedKey }) => compileGuardrail(guardrail, sealedKey),
    check: checkGuardrail,
  },
}

/** Schemas that only the collection in its earlier state used. */
async function unusedSchemas(
  reader: Pick<ConfigReader, 'list'>,
  before: Resource,
  after: Resource | null,
): Promise<readonly string[]> {
  const { schemas } = before.spec
  if (typeof schemas !== 'string') return []
  if (after?.spec['schemas'] === schemas && after.status === 'published') return []
  const query = { type: 'collections', limit: 1, where: { schemas, status: 'published' } } as const
  const users = await reader.list(query)
  return users.length === 0 ? [schemas] : []
}
