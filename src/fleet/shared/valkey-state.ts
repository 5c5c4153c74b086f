/** Whether limits are counted in Valkey, in shared memory, from which each thread answers `/readyz` and prints metrics. */
import { HEALTH } from './messages.ts'

/** Values of the cell: 0 without Valkey. */
const [DOWN, UP] = [1, 2]

/** As `/readyz` has it. */
export interface ValkeyState {
  readonly up: boolean
  /** RFC 3339. */
  readonly since: string
}

/** Keeps it. @param health see {@link HEALTH} @param nowMs milliseconds since the epoch */
export function tellValkey(health: Int32Array, isUp: boolean, nowMs: number): void {
  const state = isUp ? UP : DOWN
  if (Atomics.load(health, HEALTH.valkey) === state) return
  Atomics.store(health, HEALTH.valkeySince, Math.floor(nowMs / 1000) | 0)
  Atomics.store(health, HEALTH.valkey, state)
}

/** Null where the settings name none. */
export function valkeyStateOf(health: Int32Array): ValkeyState | null {
  const state = Atomics.load(health, HEALTH.valkey)
  if (state === 0) return null
  const since = new Date((Atomics.load(health, HEALTH.valkeySince) >>> 0) * 1000)
  return { up: state === UP, since: since.toISOString() }
}
