/** The connection of this process to Valkey, where the settings name one. */
import { keepValkeyState } from '../fleet/shared/valkey-state.ts'
import type { Valkey } from '../store/ports/valkey.ts'
import { openValkey } from './places.ts'
import type { Start } from './start.ts'

/** Null where the settings name none. It waits for no server. @param health see HEALTH in fleet/shared/messages */
export async function openValkeyOf(
  { settings, log, clock, parts }: Start,
  health: SharedArrayBuffer,
): Promise<Valkey | null> {
  if (settings.valkey === null) return null
  const valkey = await openValkey({ address: settings.valkey, scripts: {}, log })
  parts.defer(() => valkey.close())
  keepValkeyState(valkey, new Int32Array(health), clock)
  return valkey
}
