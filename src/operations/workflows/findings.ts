import { isDriverInstalled } from '../../base/drivers.ts'
import { capabilityHash, itemsByKey } from '../../model/capability-drift.ts'
import type { CollectionSpec } from '../../model/collection.ts'
import type { CredentialSpec } from '../../model/credential.ts'
import type { OriginSpec } from '../../model/origin.ts'
import type { ProxySpec } from '../../model/proxy.ts'
import type { Finding, WorkflowDefinition } from '../../model/workflow.ts'
import type { KnownOrigin, Referred } from '../../nodes/known.ts'
import { type RequestTypes, requestTypesOf } from '../../nodes/request-types.ts'
import { referencesOf, validateDefinition } from '../../nodes/validate.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { findRef } from '../engine/refs.ts'
import { foundOf } from '../origins/found.ts'
import { sharedSchemas } from '../proxies/contract.ts'

/**
 * What is wrong with a definition, as far as its reader may see what it refers to.
 * @param proxy whose own workflow it is; null for a shared one, whose proxies may differ
 */
export async function findingsOf(
  definition: WorkflowDefinition,
  context: OperationContext,
  proxy: ProxySpec | null = null,
): Promise<Finding[]> {
  const { reader, whole } = context
  const known = new Set<string>()
  const origins = new Map<string, KnownOrigin>()
  const credentials = new Map<string, string>()
  for (const { type, ref } of referencesOf(definition)) {
    if (ref.length > 130 || known.has(`${type} ${ref}`)) continue
    // What is stored has ids, which may be of what the reader does not see
    const found = (await findRef(reader, type, ref)) ?? (await whole.byId(type, ref))
    if (found === undefined) continue
    known.add(`${type} ${ref}`)
    if (type === 'credentials') credentials.set(ref, (found.spec as CredentialSpec).auth.type)
    if (type === 'origins') origins.set(ref, await knownOrigin(found, context))
  }
  const all = {
    has: (type: Referred, ref: string) => known.has(`${type} ${ref}`),
    credentialType: (ref: string) => credentials.get(ref),
    origin: (ref: string) => origins.get(ref) ?? null,
    hasDriver: isDriverInstalled,
  }
  return validateDefinition(definition, all, proxy && (await requestTypes(proxy, context)))
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
  { whole }: Pick<OperationContext, 'whole'>,
): Promise<KnownOrigin> {
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
      new Map([...tools].map(([name, item]) => [name, { item, hash: capabilityHash('tools', item) }])),
  }
}
