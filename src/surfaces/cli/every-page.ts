import type { Operation } from '../../operations/engine/define.ts'
import type { Client } from '../client/client.ts'
import type { CliPorts } from './ports.ts'

/** Items of one page where all are asked for: the most that a list gives. */
const PAGE = 200

/** True for a list that gives one page at a time. */
export function hasPages(operation: Operation): boolean {
  if (operation.follows === true) return false
  return Object.hasOwn(operation.input.shape, 'cursor') && Object.hasOwn(operation.output.shape, 'items')
}

/** All items of a list as one answer; how many there are so far goes to standard error, once there is more than a page. */
export async function everyPage(
  ports: CliPorts,
  client: Client,
  operation: Operation,
  input: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const items: unknown[] = []
  let cursor = input['cursor']
  for (;;) {
    const { body } = await client.call(operation, {
      ...input,
      limit: input['limit'] ?? PAGE,
      ...(cursor !== undefined && { cursor }),
    })
    if (Array.isArray(body['items'])) items.push(...body['items'])
    const next = body['next_cursor']
    if (typeof next !== 'string' || next === cursor) return { ...body, items, next_cursor: null }
    cursor = next
    ports.err(`${items.length} so far ...\n`)
  }
}
