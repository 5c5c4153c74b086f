import { testThrottle } from '../../../test/shared-state/throttle.ts'
import { createThrottle } from './throttle.ts'

testThrottle('memory of one thread', () => {
  let now = 120_000
  return {
    throttle: createThrottle({ now: () => now, monotonic: () => now }),
    move: (ms) => {
      now += ms
    },
  }
})
