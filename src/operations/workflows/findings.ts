import { isDriverInstalled } from '../../base/drivers.ts'
import { capabilityHash, itemsByKey } from '../../model/capability-drift.ts'
import type { CredentialSpec } from '../../model/credential.ts'
import type { OriginSpec } from '../../model/origin.ts'
import type { Finding, WorkflowDefinition } from '../../model/workflow.ts'
import type { KnownOrigin } from '../../nodes/known.ts'
import { referencesOf, validateDefinition } from '../../nodes/validate.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { findRef } from '../engine/refs.ts'
import { foundOf } from '../origins/found.ts'

/** What is wrong with a definition, as far as its reader may see what it refers to. */
export async function findingsOf(
  definition: WorkflowDefinition,
  context: OperationContext,
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
  return validateDefinition(definition, {
    has: (type, ref) => known.has(`${type} ${ref}`),
    credentialType: (ref) => credentials.get(ref),
    origin: (ref) => origins.get(ref) ?? null,
    hasDriver: isDriverInstalled,
  })
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
