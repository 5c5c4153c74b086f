import type { Principal } from '../../access/principal.ts'
import { inWords } from '../../model/common.ts'
import type { ChangeRequestFacts, StoredChangeRequest } from '../../store/ports/change-requests.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { ARGUMENTS } from '../../vault/reseal.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Invoked, Operation, Subject, Via, WriteOptions } from '../define.ts'
import { OPERATIONS } from '../registry.ts'
import { outdated } from './carry-out.ts'
import { type Gate, gateFor } from './gate.ts'
import { askerOf, baseOf, fingerprintOf, type Held, MustWait } from './request.ts'

/** How a write stands to the rules for approval. */
export interface Approval {
  /** Null where no rule holds. */
  readonly gate: Gate | null
  /** The request that it carries out. */
  readonly approved: ChangeRequestFacts | undefined
  /** Whoever asked carries it out by asking again. */
  readonly isRepeated: boolean
  /** It passes the rules: the way out for whoever has the data directory. */
  readonly isPast: boolean
}

/** What is called, and by whom. */
export interface Asked {
  readonly operation: Operation
  readonly input: Record<string, unknown>
  readonly options: WriteOptions
  readonly principal: Principal
  readonly via: Via
}

/** The rules that hold for a write, and the approved request that it repeats. */
export async function approvalOf(
  { operation, input, options, principal }: Asked,
  reader: ConfigReader,
  vault: Pick<Vault, 'fingerprint'>,
  now: number,
): Promise<Approval> {
  // Those on no surface are about something else that was proved, such as a password
  const gate = OPERATIONS.includes(operation) ? await gateFor(principal, reader) : null
  const isPast = operation.permission === 'settings:update' && principal.authMethod === 'local_token'
  if (gate === null) return { gate, approved: undefined, isRepeated: false, isPast }
  const pending = (await reader.pendingChangeRequests(askerOf(principal))).filter(
    ({ state, expires_at }) => state === 'approved' && expires_at > now,
  )
  const fingerprint = pending.length === 0 ? '' : fingerprintOf(operation, input, options, vault)
  const approved = pending.find((one) => one.fingerprint === fingerprint)
  return { gate, approved, isRepeated: approved !== undefined, isPast }
}

/**
 * What is to be said of a write that does not have to wait, or no more. Throws a MustWait for one that does, and refuses
 * with change_request_outdated what is not what was approved.
 */
export function passes(
  { gate, approved, isRepeated, isPast }: Approval,
  held: Held,
  { options }: Pick<Asked, 'options'>,
  { type, id, slug }: Subject,
): { readonly answer: Pick<Invoked, 'approval'>; readonly told: readonly string[] } {
  const resource = { type, id, slug }
  if (approved !== undefined) {
    // What was foretold has been done, by what Change.mustWait found
    const isDone = approved.is_foretold && held.foretold.length === 0
    if (!isDone && baseOf(held) !== approved.base) {
      if (isRepeated) throw new MustWait(held, resource)
      throw outdated(whatMoved(approved, held))
    }
    return {
      answer: {},
      told: [`As change request ${approved.id} asked for.`],
    }
  }
  const waits =
    gate !== null &&
    gate.met.size > 0 &&
    (held.foretold.length > 0 || held.touches.length > 0 || held.diff.length > 0)
  if (!waits) return { answer: {}, told: [] }
  if (isPast)
    return {
      answer: {},
      told: [`Past the rules for approval (${held.rules.join(', ')}), by whoever has the data directory.`],
    }
  if (options.dryRun !== true) throw new MustWait(held, resource)
  return { answer: { approval: held.rules }, told: [] }
}

function whatMoved({ touches }: ChangeRequestFacts, now: Held): string {
  for (const { type, id, slug, revision } of touches) {
    if (revision === null) continue
    const found = now.touches.find((one) => one.type === type && one.id === id)
    const name = `${inWords(type)}${slug === null ? '' : ` "${slug}"`}`
    if (found === undefined) return `it would not touch ${name} any more.`
    if (found.revision !== revision) return `${name} is at revision ${found.revision} now, not ${revision}.`
  }
  return 'it would change something else now.'
}

/** What was asked for. Refuses with change_request_outdated what cannot be read any more. */
export function openRequest(
  { id, sealed, operation: name, via }: StoredChangeRequest,
  vault: Pick<Vault, 'open'>,
): Omit<Asked, 'principal'> {
  const operation = OPERATIONS.find((one) => `${one.resource}.${one.action}` === name)
  if (sealed === null || operation === undefined) throw outdated('what was asked for is not kept any more.')
  let text: string
  try {
    text = vault.open(sealed, id, ARGUMENTS).reveal()
  } catch {
    throw outdated('no key opens what was asked for.')
  }
  // Only ask seals these.
  const { input, options } = JSON.parse(text) as Pick<Asked, 'input' | 'options'>
  const parsed = operation.input.safeParse(input)
  if (!parsed.success) throw outdated('this version does not understand what was asked for.')
  return { operation, input: parsed.data, options, via: via as unknown as Via }
}
