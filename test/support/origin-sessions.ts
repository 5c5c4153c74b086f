import { type Clock, createClock } from '../../src/base/clock.ts'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { createOriginSessions, type OriginSessions } from '../../src/mcp/virtual/sessions/sessions.ts'
import { createOriginSessionMemory } from '../../src/shared-state/memory/origin-sessions.ts'
import type { OriginSessionPool } from '../../src/shared-state/ports/origin-sessions.ts'

/** Sessions at origins for a door. Without a pool, one thread alone has them. */
export function originSessions(
  gateway: Gateway,
  clock: Clock = createClock(),
  pool: OriginSessionPool = createOriginSessionMemory(clock).join('this'),
): OriginSessions {
  const own = { name: 'postern', version: '0.0.0' }
  return createOriginSessions({ pool, gateway, own, clock, isPersonal: gateway.isPersonal })
}
