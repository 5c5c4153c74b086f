import { canonicalJson } from '../../base/canonical.ts'
import type { NodeRun } from '../run.ts'

interface Case {
  readonly label: string
  readonly match: unknown
}

export const switchRun: NodeRun = {
  name: 'switch_node',
  link({ cases }) {
    const labels = new Map<string, string>()
    // The definition has parsed the settings. The first case that equals the value decides
    for (const { label, match } of (cases as readonly Case[]).toReversed())
      labels.set(canonicalJson(match), label)
    return ({ value }) => {
      const label = labels.get(canonicalJson(value ?? null)) ?? 'default'
      return { handle: label, outputs: { matched_output: label } }
    }
  },
}
