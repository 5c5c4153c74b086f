/** Has a gateway thread probe an origin, before the transaction of a change, because other writes wait for a transaction. */
import { refuse } from '../../base/refusal.ts'
import type { CatalogueState } from '../../model/mcp/capability-drift.ts'
import type { OriginProbed, OriginSpec } from '../../model/mcp/origin.ts'
import { compileOrigin } from '../../snapshot/compile/mcp.ts'
import type { ConfigReader, ConfigWriter } from '../../store/ports/config.ts'
import type { ConnectionReader } from '../../store/ports/connections.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { OriginProbe } from '../engine/ports.ts'
import { ATTEMPT, attemptsOf, reasonOf, toAttempt } from './attempt.ts'
import { bounded, differs, foundOf, withLastLists } from './found.ts'

/** What an origin is probed by; references in the spec are ids. */
export interface Probed {
  readonly id: string
  readonly slug: string
  readonly spec: Fields
}

/**
 * Probes an origin as its spec says. Refuses with configuration_invalid where it is no server, and with not_ready while no gateway
 * thread can.
 */
export async function probed({ id, slug, spec }: Probed, context: OperationContext): Promise<OriginProbed> {
  // Parsed by the schema, then references became ids, which are strings too.
  const origin = spec
  if (origin.kind === 'collection')
    throw refuse('configuration_invalid', {
      detail: `An origin of kind ${origin.kind} has no server to probe: its capabilities come from the configuration.`,
    })
  try {
    return await probeOf({ id, slug, spec }, context.origins, context.whole.connections)
  } catch (error) {
    throw refuse('not_ready', {
      detail: `The origin cannot be probed now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
    })
  }
}

/** The probe alone, of an origin with a server; what it has found is bounded. Rejects while no gateway thread listens. */
export async function probeOf(
  { id, slug, spec }: Probed,
  origins: OriginProbe,
  connections: ConnectionReader,
): Promise<OriginProbed> {
  // Parsed by the schema, then references became ids, which are strings too.
  const fragment = compileOrigin({ id, slug, spec: spec as OriginSpec }, null)
  const account = fragment.connection === undefined ? undefined : await accountAt(id, connections)
  const came = await origins.probe(fragment, account)
  return { ...came, found: came.found && bounded(came.found) }
}

/** Whose account reads the catalogue: of those that are connected the one connected last; undefined for none. */
async function accountAt(origin: string, connections: ConnectionReader): Promise<string | undefined> {
  return (await connections.usable(origin, 1))[0]?.user
}

/** Refuses with configuration_invalid, saying what was tried and what came back, where a probe could not read the catalogue. */
export function refuseUnreachable(came: OriginProbed, spec: Fields): CatalogueState {
  const { steps, found } = came
  if (found !== null) return found
  const reason = reasonOf(came, spec)
  if (spec['kind'] === 'stdio')
    throw refuse('configuration_invalid', {
      detail: `Postern could not read what the entry "${String(spec['entry'])}" of the runner offers. ${reason} Correct this, or save with probe false.`,
      // The runner answers 400 for parameters that the entry does not take
      errors: [{ pointer: steps.some(({ status }) => status === 400) ? '/parameters' : '/entry', reason }],
      members: { steps },
    })
  throw refuse('configuration_invalid', {
    detail: `Postern could not read what the MCP server at ${String(spec['url'])} offers. ${reason} Correct url, credential or tls, or save with probe false.`,
    errors: [{ pointer: '/url', reason }],
    members: { steps },
  })
}

/** Keeps that an origin was probed, in the transaction of an operation; counts no revision. */
export async function keepAttempt(
  origin: Resource,
  came: OriginProbed,
  { change, clock }: Pick<OperationContext, 'change' | 'clock'>,
): Promise<void> {
  await storeAttempt(origin, came, change.writer, clock.now())
}

/** The same in any transaction. An origin that is gone is forgotten. */
export async function storeAttempt(
  { id, spec }: Resource,
  came: OriginProbed,
  writer: ConfigWriter,
  now: number,
): Promise<void> {
  if ((await writer.byId('origins', id)) === undefined) return
  const before = (await attemptsOf(writer, [id])).get(id) ?? null
  await writer.putState(id, ATTEMPT, JSON.stringify(toAttempt(came, spec, before, now)))
}

/** True where a probe has found a catalogue that is to be stored. */
export async function isNews(
  origin: Resource,
  { found }: OriginProbed,
  reader: Pick<ConfigReader, 'statesOf'>,
): Promise<boolean> {
  if (found === null) return false
  return differs(await foundOf(reader, origin.id), await withLastLists(origin, found, reader))
}
