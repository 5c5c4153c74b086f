import { idTime } from '../../base/ids.ts'
import type { CollectionSpec } from '../../model/api/collection.ts'
import type { CredentialSpec } from '../../model/api/credential.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import { approvalOf, itemsByKey } from '../../model/mcp/capability-drift.ts'
import type { OriginSpec } from '../../model/mcp/origin.ts'
import type { Finding, WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { type RequestTypes, requestTypesOf } from '../../nodes/request-types.ts'
import { referencesOf } from '../../nodes/validate.ts'
import { rememberRunnable } from '../../snapshot/compile/workflow.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { findRef } from '../engine/refs.ts'
import { foundOf } from '../origins/found.ts'
import { sharedSchemas } from '../proxies/contract.ts'
import { type Judged, judgeWorkflow, type SentOrigin } from './judge-workflow.ts'

/**
 * What is wrong with a definition, as far as its reader may see what it refers to.
 * @param proxy whose own workflow it is; null for a shared one, whose proxies may differ
 */
export async function findingsOf(
  definition: WorkflowDefinition,
  context: OperationContext,
  proxy: ProxySpec | null = null,
): Promise<Finding[]> {
  return (await judgedBy(definition, context, proxy)).findings
}

/**
 * The same, with the handles of nodes.
 * @param isGiven it comes from the reader and is not stored: it tells nothing of what the reader does not see, not even whether an id
 * is there
 */
export async function judgedBy(
  definition: WorkflowDefinition,
  context: OperationContext,
  proxy: ProxySpec | null,
  isGiven = false,
): Promise<Judged> {
  const { reader, whole, apart } = context
  const seesAll = reader === whole
  const known = new Set<string>()
  const origins = new Map<string, SentOrigin>()
  const credentials = new Map<string, string>()
  for (const { type, ref } of referencesOf(definition)) {
    if (ref.length > 130 || known.has(`${type} ${ref}`)) continue
    // What is stored has ids, which may be of what the reader does not see
    const found = (await findRef(reader, type, ref)) ?? (isGiven ? undefined : await whole.byId(type, ref))
    // A copy of what is stored has them too
    if (found === undefined && isGiven && !seesAll && idTime(ref) !== undefined) known.add(`${type} ${ref}`)
    if (found === undefined) continue
    known.add(`${type} ${ref}`)
    if (type === 'credentials') credentials.set(ref, (found.spec as CredentialSpec).auth.type)
    if (type === 'origins') origins.set(ref, await knownOrigin(found, toolsIn(definition), context))
  }
  const judged = await apart(judgeWorkflow, {
    definition,
    known: [...known],
    credentials: [...credentials],
    origins: [...origins],
    request: proxy && (await requestTypes(proxy, context)),
  })
  rememberRunnable(definition, judged.isRunnable)
  return judged
}

/** Names of tools that nodes call. */
function toolsIn({ nodes }: WorkflowDefinition): ReadonlySet<unknown> {
  return new Set(nodes.map(({ config }) => config['tool']))
}

/** A proxy as the owner of its workflow; null if the workflow is a shared one. */
export function ownerOf({ spec, parent }: Resource): ProxySpec | null {
  return typeof spec['workflow'] === 'string' ? null : ({ ...spec, collection: parent } as ProxySpec)
}

async function requestTypes(proxy: ProxySpec, context: OperationContext): Promise<RequestTypes> {
  const collection = await context.whole.byId('collections', proxy.collection)
  // Stored by the schema of this type; those of earlier versions have the default
  const { request_validation = 'enforce' } = (collection?.spec ?? {}) as Partial<CollectionSpec>
  const shared = (proxy.request_schema ?? null) === null ? {} : await sharedSchemas(proxy, context)
  return requestTypesOf(proxy, request_validation, shared)
}

async function knownOrigin(
  { id, slug, spec }: Resource,
  names: ReadonlySet<unknown>,
  { whole }: Pick<OperationContext, 'whole'>,
): Promise<SentOrigin> {
  // Stored by the schema of this type; specs of earlier versions have no mode
  const { kind, auth_mode = 'static' } = spec as Partial<OriginSpec> & Pick<OriginSpec, 'kind'>
  const found = await foundOf(whole, id)
  const tools = found && itemsByKey('tools', found.catalogue.tools)
  return {
    slug,
    kind,
    account: auth_mode === 'static' || auth_mode === 'shared_oauth' ? 'shared' : 'user',
    tools:
      tools &&
      [...tools]
        .filter(([name]) => names.has(name))
        .map(([name, item]) => [name, { item, hash: approvalOf('tools', item) }]),
  }
}
