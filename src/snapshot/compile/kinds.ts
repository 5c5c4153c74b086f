/** The table of kinds of fragments, the half for the main thread. `snapshot/link/link.ts` is the half for gateway threads. */

import { toMs } from '../../base/clock.ts'
import { Secret } from '../../base/crypto/token.ts'
import { isPacked, packJsonBeside } from '../../base/json/canonical.ts'
import type { FieldError } from '../../base/refusal.ts'
import { inSlices } from '../../base/threads/time-slices.ts'
import type { DetectorSettings, InjectionKind, PiiKind, SecretKind } from '../../detectors/settings.ts'
import { BasePath } from '../../model/api/collection.ts'
import type { GuardrailSpec } from '../../model/api/guardrail.ts'
import { patternFault } from '../../model/api/proxy.ts'
import { UpstreamSpec } from '../../model/api/upstream.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { toTarget } from '../find/target.ts'
import type {
  ClientFragment,
  CollectionFragment,
  CredentialFragment,
  FragmentKind,
  Fragments,
  GuardrailFragment,
  HostFragment,
  OriginFragment,
  PolicyFragment,
  VirtualMcpFragment,
} from '../fragments.ts'
import { linkClient } from '../link/client.ts'
import { linkCollection } from '../link/collection.ts'
import { linkCredential } from '../link/credential.ts'
import {
  linkGuardrail,
  linkHost,
  linkOrigin,
  linkPolicy,
  linkVirtualMcp,
  linkWorkflow,
} from '../link/small-kinds.ts'
import type { WorkflowFragment } from '../plan.ts'
import {
  compileClient,
  compileCollection,
  compileCredential,
  compilePolicy,
  compileSchemas,
  contractsPaused,
  type Desired,
} from './compile.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from './mcp.ts'
import {
  compileHost,
  compilePerson,
  compileTeam,
  type Need,
  type Sources,
  type SourceType,
} from './sources.ts'
import { compileUpstream } from './upstream.ts'
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
 * The half of the table of kinds that the main thread alone loads; `link/link.ts` is that of gateway threads. Fragments of one
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

/** An active guardrail as gateway threads get it. @param sealedKey of the action `hash` */
export function compileGuardrail(
  { id, slug, spec }: Desired<GuardrailSpec>,
  sealedKey?: string,
): GuardrailFragment {
  const { order, legs, action, text, mode, failure_mode, compressed, max_body } = spec
  const { everywhere, collections, proxies, virtual_mcps = [], origins = [] } = spec.scope
  return {
    kind: 'guardrail',
    id,
    slug,
    order,
    scope: { everywhere, collections, proxies, virtual_mcps, origins },
    legs,
    detector: toDetector(spec.detector),
    action,
    ...(text === null ? {} : { text }),
    ...(action === 'hash' && sealedKey !== undefined ? { sealed_key: sealedKey } : {}),
    ...(mode === 'observe' ? { observe: true as const } : {}),
    ...(failure_mode === 'pass' ? { passes_failures: true as const } : {}),
    ...(compressed === 'refuse' ? { refuses_compressed: true as const } : {}),
    body_bytes_max: max_body,
    ...serverOf(spec.detector),
  }
}

const TIMEOUT_DEFAULT = '2s'

/** Where a webhook is asked; nothing for other detectors. */
function serverOf({ url, credential = null, timeout = TIMEOUT_DEFAULT }: GuardrailSpec['detector']) {
  if (url === undefined) return {}
  const { origin, pathname } = new URL(url)
  const timeouts = { connect: timeout, first_byte: timeout, idle: timeout }
  const upstream = compileUpstream(UpstreamSpec.parse({ targets: [{ url: origin }], timeouts }))
  return { server: { upstream, path: pathname, credential } }
}

function toDetector(spec: GuardrailSpec['detector']): DetectorSettings {
  const { type, kinds, threshold, allow, patterns = [], bytes, depth, items } = spec
  const selected = {
    ...(threshold === undefined ? {} : { threshold }),
    ...(allow === undefined ? {} : { allow }),
  }
  // The schema has compared the kinds with those of the detector
  const some = <Kind>() => (kinds === undefined ? selected : { ...selected, kinds: kinds as Kind[] })
  switch (type) {
    case 'pii':
      return { detector: type, ...some<PiiKind>() }
    case 'secrets':
      return { detector: type, ...some<SecretKind>() }
    case 'injection':
      return { detector: type, ...some<InjectionKind>() }
    case 'regex':
      return { detector: type, patterns: patterns.map(({ name, pattern }) => ({ kind: name, pattern })) }
    case 'size':
      return {
        detector: type,
        ...(bytes === undefined ? {} : { bytes }),
        ...(depth === undefined ? {} : { depth }),
        ...(items === undefined ? {} : { items }),
      }
    case 'schema':
      return { detector: type, schema: spec.schema! }
    case 'webhook':
      return toWebhook(spec, selected)
  }
}

function toWebhook(
  { format = 'presidio', timeout = TIMEOUT_DEFAULT, language, entities }: GuardrailSpec['detector'],
  selected: Pick<GuardrailSpec['detector'], 'threshold' | 'allow'>,
): DetectorSettings {
  return {
    detector: 'webhook',
    format,
    timeout_ms: toMs(timeout),
    ...selected,
    ...(language === undefined ? {} : { language }),
    ...(entities === undefined ? {} : { entities }),
  }
}

// Finds what keeps fragments of each kind from being served. It links them as gateway threads do, with other secrets.

/** Escapes of characters that a canonical path never escapes (RFC 3986 2.3), or escapes no path may have. */
const UNMATCHABLE =
  /%(?:2[DdEeFf]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaCcFf]|6[1-9A-Fa-f]|7[0-9AaEeFf]|[01][0-9A-Fa-f])/

/** As {@link checkRoutes}, and what keeps it from being linked. */
function checkCollection(fragment: CollectionFragment): FieldError[] {
  const errors = checkRoutes(fragment)
  if (errors.length === 0) linkCollection(fragment)
  return errors
}

/** Throws for a client that cannot be linked. */
function checkClient(fragment: ClientFragment): FieldError[] {
  linkClient(fragment, () => new Secret('x'))
  return []
}

/** Throws for a policy that cannot be linked. */
function checkPolicy(fragment: PolicyFragment): FieldError[] {
  linkPolicy(fragment)
  return []
}

/** Throws for a credential that cannot be linked, whatever its secrets are. */
function checkCredential(fragment: CredentialFragment): FieldError[] {
  linkCredential(withPlaces(fragment), () => new Secret('x'), true)
  return []
}

/** Throws for an origin that cannot be linked. */
function checkOrigin(fragment: OriginFragment): FieldError[] {
  linkOrigin(fragment)
  return []
}

/** Throws for a virtual MCP that cannot be linked. */
function checkVirtualMcp(fragment: VirtualMcpFragment): FieldError[] {
  linkVirtualMcp(fragment)
  return []
}

/** Throws for a host that cannot be linked. */
function checkHost(fragment: HostFragment): FieldError[] {
  linkHost(fragment)
  return []
}

/** Throws for a workflow that cannot be linked. */
function checkWorkflow(fragment: WorkflowFragment): FieldError[] {
  linkWorkflow(fragment)
  return []
}

/** Throws for a text that is not JSON. A packed text was made from JSON (`packJson`), and reading it would hold the thread for long. */
function checkJson({ json }: { readonly json: string }): FieldError[] {
  if (!isPacked(json)) JSON.parse(json)
  return []
}

/** Throws for a guardrail that cannot be linked. */
function checkGuardrail(fragment: GuardrailFragment): FieldError[] {
  linkGuardrail(fragment, () => new Secret('a key of a hash'.padEnd(32)))
  return []
}

/** As if what is read elsewhere had been read: a source that fails now may work later. */
function withPlaces(fragment: CredentialFragment): CredentialFragment {
  const fields = Object.keys(fragment.references ?? {})
  return {
    ...fragment,
    sealed: { ...fragment.sealed, ...Object.fromEntries(fields.map((one) => [one, 'x'])) },
  }
}

/** Base path and patterns of a collection, with pointers to what cannot be matched. */
function checkRoutes(fragment: CollectionFragment): FieldError[] {
  const errors: FieldError[] = []
  const base = BasePath.safeParse(fragment.base_path)
  if (!base.success) errors.push({ pointer: '/base_path', reason: base.error.issues[0]!.message })
  else if (UNMATCHABLE.test(fragment.base_path))
    errors.push({
      pointer: '/base_path',
      reason: 'has an unnecessary percent-encoding; write the character itself',
    })
  for (const [index, proxy] of fragment.proxies.entries()) {
    const at = `/proxies/${index}`
    for (const field of ['path', 'target_path'] as const) {
      const fault = patternFault(proxy[field])
      if (fault !== null) errors.push({ pointer: `${at}/${field}`, reason: fault })
      else if (UNMATCHABLE.test(proxy[field]))
        errors.push({
          pointer: `${at}/${field}`,
          reason: 'has an unnecessary percent-encoding; write the character itself',
        })
    }
    if (errors.length > 0) continue
    try {
      toTarget(proxy.path, proxy.target_path)
    } catch (error) {
      errors.push({ pointer: `${at}/target_path`, reason: (error as RangeError).message })
    }
  }
  return errors
}
