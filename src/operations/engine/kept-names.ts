import { canonicalJson } from '../../base/json/canonical.ts'
import { NAMES } from '../../snapshot/compile/sources.ts'
import type { Fragment } from '../../snapshot/fragments.ts'
import type { ConfigWriter } from '../../store/ports/config.ts'

/**
 * Keeps the public names that compiling has given to capabilities of published virtual MCPs, in the transaction of the change: a name
 * is fixed once it was published, whatever is added or removed later.
 */
export async function keepNames(
  writer: Pick<ConfigWriter, 'statesOf' | 'putState'>,
  put: readonly Fragment[],
): Promise<void> {
  const names = new Map(
    put.flatMap((one) => (one.kind === 'virtual_mcp' ? [[one.id, canonicalJson(one.names)] as const] : [])),
  )
  if (names.size === 0) return
  for (const { owner, json } of await writer.statesOf([...names.keys()], NAMES))
    if (names.get(owner) === json) names.delete(owner)
  for (const [id, json] of names) await writer.putState(id, NAMES, json)
}
