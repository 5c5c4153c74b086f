import type { OriginProbed } from '../../model/mcp/origin.ts'
import type { ConfigReader, ConfigWriter } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { ATTEMPT, attemptsOf, toAttempt } from './attempt.ts'
import { differs, foundOf, withLastLists } from './found.ts'

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
