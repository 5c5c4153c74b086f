/** Commands that wait for events and print each one, until they are interrupted. */
import type { Operation } from '../../operations/engine/define.ts'
import type { Client } from '../client/client.ts'
import type { CliPorts } from './ports.ts'
import { type Format, hasColour, printData } from './print.ts'
import { toTable } from './table.ts'

/**
 * Prints each item of an operation that waits: a line of JSON, a YAML document, or a row of a table whose heading stands once.
 *
 * @param input With `wait` 0 the command ends when there is no further item.
 * @param count Items after which the command ends; null to go on until it is interrupted.
 */
export async function followItems(
  ports: CliPorts,
  client: Client,
  operation: Operation,
  input: Readonly<Record<string, unknown>>,
  format: Format,
  count: number | null,
): Promise<void> {
  if (format === 'table') ports.err('Waiting for calls. Ctrl+C ends this.\n')
  let left = count ?? Number.POSITIVE_INFINITY
  let isFirst = true
  let { cursor } = input
  while (left > 0) {
    const { body } = await client.call(operation, { ...input, ...(cursor !== undefined && { cursor }) })
    cursor = body['next_cursor']
    // As the output schema of an operation that is followed has it
    const items = (body['items'] as readonly Record<string, unknown>[]).slice(0, left)
    left -= items.length
    // With `--wait 0` the command shows what there is, and never asks in a busy loop
    if (input['wait'] === 0 && items.length === 0) left = 0
    if (body['missed'] === true)
      ports.err('Some records came too fast and are left out: list them with --from.\n')
    if (format === 'json') for (const item of items) ports.out(`${JSON.stringify(item)}\n`)
    else if (format !== 'table') for (const item of items) printData(ports, format, [item])
    else if (items.length > 0) {
      const table = toTable(items, operation.columns, hasColour(ports))
      ports.out(isFirst ? table : table.slice(table.indexOf('\n') + 1))
      isFirst = false
    }
  }
}
