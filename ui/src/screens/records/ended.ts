/** Where a call ended, in words. */

/** What the gateway writes of a workflow that failed: the node, and why. */
const OF_NODE = /^node "([^"]+)": (.*)$/s

interface Ended {
  /** Such as `the check limits`, or `the node charge of the workflow`. */
  readonly at: string
  /** Why; null if nothing more is known. */
  readonly why: string | null
}

/** @param reason as the record has it. Null for a call that no check ended. */
export function endedOf(check: string | null, reason: string | null): Ended | null {
  if (check === null) return null
  const [, node, why] = OF_NODE.exec(reason ?? '') ?? []
  if (check === 'workflow' && node !== undefined && why !== undefined)
    return { at: `the node ${node} of the workflow`, why }
  return { at: `the check ${check}`, why: reason }
}
