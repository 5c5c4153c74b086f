/**
 * The memory that an exchange takes for its bodies. All of it is given back when the exchange is finished
 * (`endHolding`).
 */
import type { Room } from '../base/byte-buffer.ts'
import type { RefusalCode } from '../base/refusal.ts'
import { networkOf } from '../snapshot/find/network.ts'
import { type Holding, SMALL_BYTES_MAX } from '../wire/caller-memory.ts'
import type { Exchange } from './exchange.ts'

/** For those who have left, and for questions that are not asked by a caller. */
const NO_ROOM: Room = { take: () => false, give() {} }

/** Where bytes are counted that are kept in memory for an exchange, until it is over. */
export function roomOf(exchange: Exchange): Room {
  return holdingOf(exchange) ?? NO_ROOM
}

/** The same for the answer to a call that is made: it finds more room than what may yet be refused. */
export function answerRoomOf(exchange: Exchange): Room {
  const holding = holdingOf(exchange)
  holding?.answers()
  return holding ?? NO_ROOM
}

function holdingOf(exchange: Exchange): Holding | null {
  if (exchange.isOver) return null
  exchange.holding ??= exchange.lane.memory.open(holderOf(exchange))
  return exchange.holding
}

/** Whoever names a profile of type none has proved nothing: there the address counts. */
function holderOf({ identity: { client, credentialId }, ip }: Exchange): string {
  return client === null || credentialId === '' ? networkOf(ip) : client.id
}

/**
 * Counts the body of an answer that is at hand and may wait for its caller to read it. False when there is no room.
 * A small one leaves at once, or with what a connection may leave unsent.
 */
export function mayHold(exchange: Exchange, body: string | Uint8Array): boolean {
  return body.length <= SMALL_BYTES_MAX || roomOf(exchange).take(body.length)
}

/** At the end: gives back the memory of the exchange. */
export function endHolding({ holding }: Exchange): void {
  holding?.release()
}

/** Refuses what there is no room for. */
export function overloaded(exchange: Exchange): RefusalCode {
  exchange.retryAfterMs = 1000
  return 'overloaded'
}
