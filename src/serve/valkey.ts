/** The connection of this process to Valkey, where the settings name one. */
import { readFileSync } from 'node:fs'
import { CannotStart } from '../base/refusal.ts'
import { keepValkeyState } from '../fleet/shared/valkey-state.ts'
import type { Valkey } from '../store/ports/valkey.ts'
import { openValkey } from './places.ts'
import type { Start } from './start.ts'

/** Null where the settings name none. It waits for no server, and throws CannotStart for settings alone. @param health see HEALTH in fleet/shared/messages */
export async function openValkeyOf(
  { settings, log, clock, parts }: Start,
  health: SharedArrayBuffer,
): Promise<Valkey | null> {
  if (settings.valkey === null) return null
  demandAuthorities(settings.valkey.authorities)
  const valkey = await openValkey({ address: settings.valkey, scripts: {}, log })
  parts.defer(() => valkey.close())
  keepValkeyState(valkey, new Int32Array(health), clock)
  return valkey
}

/** @throws CannotStart for a file that cannot be read: each later connection would fail by it */
function demandAuthorities(file: string | null): void {
  try {
    if (file !== null) readFileSync(file)
  } catch (error) {
    throw new CannotStart(
      `The file of sslrootcert in POSTERN_VALKEY_URL cannot be read: ${(error as Error).message}.`,
      error,
    )
  }
}
