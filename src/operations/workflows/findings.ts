import { isDriverInstalled } from '../../base/drivers.ts'
import { idTime } from '../../base/ids.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import type { CollectionSpec } from '../../model/api/collection.ts'
import type { CredentialSpec } from '../../model/api/credential.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import { approvalOf, itemsByKey } from '../../model/mcp/capability-drift.ts'
import type { OriginSpec } from '../../model/mcp/origin.ts'
import type { Finding, WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { handlesOf, nodeType } from '../../nodes/definitions.ts'
import type { KnownOrigin } from '../../nodes/node-type.ts'
import { type RequestTypes, requestTypesOf } from '../../nodes/request-types.ts'
import { isRunnable, referencesOf, validateDefinition } from '../../nodes/validate.ts'
import { rememberRunnable } from '../../snapshot/compile/workflow.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Job } from '../engine/apart.ts'
import type { OperationContext } from '../engine/context.ts'
import { calledBy, findRef } from '../engine/refs.ts'
import { foundOf } from '../origins/found.ts'
import { sharedSchemas } from '../proxies/contract.ts'
import { definitionIn, innerOf } from './inner.ts'

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

type ToolEntry = readonly [
  string,
  { readonly item: Readonly<Record<string, unknown>>; readonly hash: string },
]

/** An origin with the tools that the definition names. */
type SentOrigin = Omit<KnownOrigin, 'tools'> & { readonly tools: readonly ToolEntry[] | null }

interface Asked {
  readonly definition: WorkflowDefinition
  /** What there is of what it refers to: type and reference. */
  readonly known: readonly string[]
  /** Types by reference. */
  readonly credentials: readonly (readonly [string, string])[]
  readonly origins: readonly (readonly [string, SentOrigin])[]
  readonly request: RequestTypes | null
}

export interface Judged {
  readonly findings: Finding[]
  /** By id; nodes of unknown types are left out. */
  readonly handles: Record<string, string[]>
  /** By itself, whatever it refers to. */
  readonly isRunnable: boolean
}

/** Judges a definition: its expressions alone may be hundreds of thousands. */
export const judgeWorkflow: Job<Asked, Judged> = {
  name: 'workflows.validate',
  msMax: 10_000,
  tooMuch: () =>
    refuse('input_invalid', {
      detail:
        'Validating the workflow takes too long. Make it smaller, or move a part into a workflow of its own.',
      errors: [{ pointer: '/definition', reason: 'takes too long to validate' }],
    }),
  run: ({ definition, known, credentials, origins, request }) => {
    const found = new Set(known)
    const types = new Map(credentials)
    const knownOrigins = new Map<string, KnownOrigin>(
      origins.map(([ref, { tools, ...origin }]) => [
        ref,
        { ...origin, tools: tools === null ? null : new Map(tools) },
      ]),
    )
    const findings = validateDefinition(
      definition,
      {
        has: (type, ref) => found.has(`${type} ${ref}`),
        credentialType: (ref) => types.get(ref),
        origin: (ref) => knownOrigins.get(ref) ?? null,
        hasDriver: isDriverInstalled,
      },
      request,
    )
    return {
      findings,
      isRunnable: findings.every(({ severity }) => severity !== 'error') || isRunnable(definition),
      handles: Object.fromEntries(
        definition.nodes.flatMap((node) => {
          const type = nodeType(node.type)
          return type === undefined ? [] : [[node.id, [...handlesOf(node, type)]]]
        }),
      ),
    }
  },
}

/** Faults that a refusal lists. */
const FAULTS_MAX = 50

/**
 * Refuses with configuration_invalid a definition with faults, or one that runs a workflow with faults.
 * @param proxy whose own workflow it is
 */
export async function refuseFaults(
  definition: WorkflowDefinition,
  pointer: string,
  why: string,
  context: OperationContext,
  proxy: ProxySpec | null = null,
): Promise<void> {
  const faults = await faultsOf(definition, context, proxy)
  if (faults.length === 0) {
    await refuseInnerFaults(definition, pointer, why, context)
    return
  }
  throw refuse('configuration_invalid', {
    detail: `${why}: ${faults[0]!.message}.`,
    errors: faults.slice(0, FAULTS_MAX).map(
      (fault): FieldError => ({
        pointer: `${pointer}${fault.pointer}`,
        reason: fault.message,
      }),
    ),
  })
}

/** Refuses with configuration_invalid a definition that runs a workflow with faults, directly or through others. */
async function refuseInnerFaults(
  definition: WorkflowDefinition,
  pointer: string,
  why: string,
  context: OperationContext,
): Promise<void> {
  const seen = new Set<string>()
  const refuseBelow = async (one: WorkflowDefinition, at: string | null): Promise<void> => {
    for (const inner of innerOf(one)) {
      const shown = at ?? `${pointer}${inner.pointer}`
      const stored = seen.has(inner.id) ? undefined : await context.whole.byId('workflows', inner.id)
      if (stored === undefined) continue
      seen.add(inner.id)
      const below = definitionIn(stored.spec)
      if (startsByHand(below)) {
        const called = await calledBy(context.reader, stored)
        throw refuse('configuration_invalid', {
          detail: `${why}, but it runs ${called}, which ${BY_HAND}.`,
          errors: [{ pointer: shown, reason: `${called} ${BY_HAND}` }],
        })
      }
      if ((await faultsOf(below, context)).length > 0) {
        const called = await calledBy(context.reader, stored)
        throw refuse('configuration_invalid', {
          detail: `${why}, but it runs ${called}, which has errors.`,
          errors: [{ pointer: shown, reason: `${called} has errors` }],
        })
      }
      await refuseBelow(below, shown)
    }
  }
  await refuseBelow(definition, null)
}

const BY_HAND = 'starts by hand: it has a manual_trigger'

function startsByHand({ nodes }: WorkflowDefinition): boolean {
  return nodes.some(({ type }) => type === 'manual_trigger')
}

/** Refuses with configuration_invalid a workflow for requests of callers that no request can start. */
export function refuseByHand(definition: WorkflowDefinition, pointer: string, why: string): void {
  if (!startsByHand(definition)) return
  const index = definition.nodes.findIndex(({ type }) => type === 'manual_trigger')
  throw refuse('configuration_invalid', {
    detail: `${why}, and it ${BY_HAND}. Use an http_trigger.`,
    errors: [{ pointer: `${pointer}/nodes/${index}/type`, reason: 'no request of a caller starts it' }],
  })
}

async function faultsOf(
  definition: WorkflowDefinition,
  context: OperationContext,
  proxy: ProxySpec | null = null,
) {
  return (await findingsOf(definition, context, proxy)).filter(({ severity }) => severity === 'error')
}
