import { type Clock, createClock } from '../../src/base/clock.ts'
import type { GatewayPort } from '../../src/gateway/port.ts'
import { createParking, type Parking } from '../../src/mcp/virtual/input/parking.ts'
import { createThreadHeldCalls } from '../../src/shared-state/memory/held-calls.ts'
import { createKeyMemory, openKeyMemory } from '../../src/shared-state/memory/key-memory.ts'
import type { HeldCalls } from '../../src/shared-state/ports/held-calls.ts'
import type { Once } from '../../src/shared-state/ports/memory.ts'

/** What the threads of one process share for calls that wait for their clients. */
export interface SharedParking {
  /** Of each thread its own. */
  readonly heldCalls: HeldCalls
  readonly usedReplies: Once
}

/** Calls that wait for their clients, of a gateway that is alone unless it shares them. */
export function parkingOf(
  gateway: GatewayPort,
  clock: Clock = createClock(),
  shared: SharedParking = {
    heldCalls: createThreadHeldCalls({ slot: 0, send: ({ port }) => port.close() }),
    // As in a process: what is full refuses retries
    usedReplies: openKeyMemory(createKeyMemory(65_536)),
  },
  counted: (calls: number) => void = () => {},
): Parking {
  return createParking({ gateway, sealKey: new Uint8Array(32).fill(7), clock, ...shared, counted })
}
