import { testOriginSessions } from '../../../test/shared-state/origin-sessions.ts'
import { createOriginSessionMemory } from './origin-sessions.ts'

testOriginSessions('memory of one process', () => {
  let now = 0
  const memory = createOriginSessionMemory(
    { now: () => now, monotonic: () => now },
    { max: 4, perOriginMax: 3, perOwnerMax: 2, idleMs: 1000 },
  )
  return {
    members: [memory.join('0'), memory.join('1')],
    leave: (at) => memory.leave(String(at)),
    move: (ms) => {
      now += ms
    },
    sweep: () => memory.sweep(),
  }
})
