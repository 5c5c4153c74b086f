import type { Plain } from '../../base/json/storable.ts'
import { type NodeContext, NodeFailure, type NodeRun } from '../run.ts'

export const foreachRun: NodeRun = {
  name: 'foreach_node',
  inTrial: 'runs',
  link({ workflow, concurrency, max_items }) {
    // The definition has parsed the settings
    const [id, sideBySide, itemsMax] = [String(workflow), Number(concurrency), Number(max_items)]
    return async ({ items }, context) => {
      if (!Array.isArray(items)) throw new NodeFailure('items', 'items is no list')
      if (items.length > itemsMax)
        throw new NodeFailure('items', `there are ${items.length} items, more than ${itemsMax}`)
      return { handle: 'success', outputs: { items: await runEach(id, items, sideBySide, context) } }
    }
  },
}

/** Responses in the order of the items. The first failure ends it: no further item is begun. */
async function runEach(
  id: string,
  items: readonly unknown[],
  sideBySide: number,
  { runWorkflow }: NodeContext,
): Promise<readonly Plain[]> {
  const responses = new Array<Plain>(items.length)
  let next = 0
  const runNext = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      try {
        responses[index] = await runWorkflow(id, items[index] ?? null)
      } catch (error) {
        next = items.length
        if (!(error instanceof NodeFailure)) throw error
        throw new NodeFailure(error.kind, `item ${index}: ${error.message}`, error.code)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(sideBySide, items.length) }, runNext))
  return responses
}
