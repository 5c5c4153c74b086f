/**
 * The memory that an exchange takes for its bodies. All of it is given back when the exchange is finished
 * (`releaseMemory`).
 */
import type { ByteBudget } from '../base/memory/bytes.ts'
import type { RefusalCode } from '../base/refusal.ts'
import type { AskWebhook } from '../guardrails/asked.ts'
import { networkOf } from '../snapshot/find/network.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type MemoryReservation, SMALL_BYTES_MAX } from '../wire/caller-memory.ts'
import { type Exchange, holderOf, type Lane } from './exchange.ts'
import type { Caller } from './port.ts'

/** For those who have left, and for questions that are not asked by a caller. */
const NO_BUDGET: ByteBudget = { take: () => false, give() {} }

/** Where bytes are counted that are kept in memory for an exchange, until it is over. */
export function budgetOf(exchange: Exchange): ByteBudget {
  return reservationOf(exchange) ?? NO_BUDGET
}

/** The same for the answer to a call that is made: it may take more than what may yet be refused. */
export function answerBudgetOf(exchange: Exchange): ByteBudget {
  const reservation = reservationOf(exchange)
  reservation?.answers()
  return reservation ?? NO_BUDGET
}

/** As {@link holderIn}, for a caller of a message. */
export function holderFor(caller: Caller, snapshot: Pick<Snapshot, 'hosts'>): string {
  return caller.credentialId === '' ? networkOf(caller.ip) : holderOf(caller, snapshot)
}

/** What is kept for a caller beyond one request. It holds answers to calls that were made. */
export function reserveFor(
  { memory }: Lane,
  caller: Caller,
  snapshot: Pick<Snapshot, 'hosts'>,
): MemoryReservation {
  const reservation = memory.open(holderFor(caller, snapshot))
  reservation.answers()
  return reservation
}

function reservationOf(exchange: Exchange): MemoryReservation | null {
  if (exchange.isOver) return null
  exchange.reservation ??= exchange.lane.memory.open(holderIn(exchange))
  return exchange.reservation
}

/**
 * The holder under which what callers share is counted for an exchange. Anybody can name a profile of type `none`, so its callers are
 * counted by their addresses.
 */
export function holderIn({ identity: { client, credentialId, subject }, ip, snapshot }: Exchange): string {
  return client === null || credentialId === ''
    ? networkOf(ip)
    : holderOf({ client, subject, credentialId }, snapshot)
}

/** How rules of an exchange ask webhooks: in the place of its caller. */
export function askFor(exchange: Exchange): AskWebhook {
  const { lane, snapshot } = exchange
  return (rule, leg, texts) => lane.webhooks.ask(snapshot, holderIn(exchange), rule, leg, texts)
}

/**
 * Counts the body of an answer that is at hand and may wait for its caller to read it. False when there is no room.
 * A small one leaves at once, or with what a connection may leave unsent.
 */
export function mayKeep(exchange: Exchange, body: string | Uint8Array): boolean {
  return body.length <= SMALL_BYTES_MAX || budgetOf(exchange).take(body.length)
}

/** At the end: gives back the memory of the exchange. */
export function releaseMemory({ reservation }: Exchange): void {
  reservation?.release()
}

/** Refuses what there is no room for. */
export function overloaded(exchange: Exchange): RefusalCode {
  exchange.retryAfterMs = 1000
  return 'overloaded'
}
