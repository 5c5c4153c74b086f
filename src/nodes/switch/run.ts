import { canonicalJson, mayFit } from '../../base/json/canonical.ts'
import type { NodeRun } from '../run.ts'

interface Case {
  readonly label: string
  readonly match: unknown
}

export const switchRun: NodeRun = {
  name: 'switch_node',
  inTrial: 'runs',
  link({ cases }) {
    const labels = new Map<string, string>()
    // The definition has parsed the settings. The first case that equals the value decides
    for (const { label, match } of (cases as readonly Case[]).toReversed())
      labels.set(canonicalJson(match), label)
    const charsMax = Math.max(0, ...[...labels.keys()].map(({ length }) => length))
    return ({ value }) => {
      // A value that is longer than each case equals none, and may have one list at many places
      const isLong = !mayFit(value ?? null, charsMax)
      const label = (isLong ? undefined : labels.get(canonicalJson(value ?? null))) ?? 'default'
      return { handle: label, outputs: { matched_output: label } }
    }
  },
}
