/** Logs the upgrade of a store. */
import type { UpgradedPlace } from '../../store/ports/places.ts'

type Log = (level: 'info' | 'error', message: string) => void

/**
 * Opens a store. Where that brings its file to a newer schema, the log says so before, with the versions, and after, with the time that
 * it took: an upgrade of a large file delays the start, and the Postern before may not open the file any more.
 * @param open rejects as it does without this
 */
export async function openUpgraded<T>(place: UpgradedPlace, log: Log, open: () => Promise<T>): Promise<T> {
  const before = await place.schema()
  if (before === null || before.version === 0 || before.version >= before.newest) return open()
  const versions = `from schema version ${before.version} to ${before.newest}`
  log('info', `${place.file} is upgraded ${versions} now. Do not stop Postern.`)
  const begun = performance.now()
  try {
    return await open()
  } finally {
    const ms = Math.round(performance.now() - begun)
    const after = await place.schema()
    if (after?.version === before.newest) log('info', `${place.file} was upgraded ${versions} in ${ms} ms.`)
    else
      log(
        'error',
        `${place.file} was not upgraded to schema version ${before.newest}: it has ${after?.version ?? 'none that can be read'} after ${ms} ms.`,
      )
  }
}
