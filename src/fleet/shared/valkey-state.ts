/** Whether Valkey can be used, in shared memory, from which each thread answers `/readyz` and prints metrics. */
import type { Clock } from '../../base/clock.ts'
import type { Valkey } from '../../store/ports/valkey.ts'
import { HEALTH } from './messages.ts'

/** Values of the cell: 0 without Valkey. */
const [DOWN, UP] = [1, 2]

/** As `/readyz` has it. */
export interface ValkeyState {
  readonly up: boolean
  /** RFC 3339. */
  readonly since: string
}

/** Keeps it up to date, from now on. It is down until its first connection. @param health see {@link HEALTH} */
export function keepValkeyState(
  valkey: Pick<Valkey, 'isUp' | 'whenChanged'>,
  health: Int32Array,
  { now }: Pick<Clock, 'now'>,
): void {
  const keep = (): void => setState(health, valkey.isUp ? UP : DOWN, now())
  keep()
  valkey.whenChanged(keep)
}

/** Whoever kept it has ended. @param nowMs milliseconds since the epoch */
export function tellValkeyDown(health: Int32Array, nowMs: number): void {
  setState(health, DOWN, nowMs)
}

function setState(health: Int32Array, state: number, nowMs: number): void {
  // The era alone may have changed
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
