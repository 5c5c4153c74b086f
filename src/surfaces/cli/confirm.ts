import { printable } from '../../base/text/visible.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { WriteOptions } from '../../operations/engine/write-options.ts'
import type { Client } from '../client/client.ts'
import { needsConfirmation } from '../route.ts'
import { UsageError } from './exit.ts'
import type { Given } from './flags.ts'
import type { CliPorts } from './ports.ts'

/**
 * The confirmation of what cannot be undone: what `--confirm` says; with `--yes` the slug itself; else what the
 * person types. Where nobody can be asked it is refused. A dry run changes nothing, so it asks nobody.
 */
export async function confirmed(
  ports: CliPorts,
  client: Client,
  operation: Operation,
  id: string | undefined,
  given: Given,
  options: WriteOptions,
): Promise<{ confirm?: string }> {
  if (!needsConfirmation(operation) || options.confirm !== undefined || id === undefined) return {}
  const isAsked = given['yes'] !== true && options.dryRun !== true
  if (isAsked && !ports.interactive)
    throw new UsageError(
      `This cannot be undone, and there is no terminal to ask in: add --confirm with the slug of ${printable(id)}, or --yes.`,
    )
  const slug = await slugOf(ports, client, operation, id)
  if (!isAsked) return { confirm: slug }
  const question = `This cannot be undone. Type ${printable(slug)} to ${operation.action} ${operation.resource} ${printable(id)}: `
  const typed = await ports.ask(question)
  if (typed.trim() !== slug) throw new UsageError('Not confirmed; nothing was done.')
  return { confirm: slug }
}

/** The slug of what the id names, as the server has it. */
async function slugOf(ports: CliPorts, client: Client, operation: Operation, id: string): Promise<string> {
  const get = ports.operations.find((one) => one.resource === operation.resource && one.action === 'get')
  if (get === undefined) return id
  const { body } = await client.call(get, { id })
  return typeof body['slug'] === 'string' ? body['slug'] : id
}
