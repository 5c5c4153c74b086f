import type { ReactNode } from 'react'
import type { DiffEntry } from '../api/client.ts'
import { Diff } from '../kit/diff.tsx'
import { Status } from '../kit/status.tsx'

interface TheirsAndMineProps {
  /** Null until it is loaded. */
  readonly theirs: readonly DiffEntry[] | null
  readonly mine: readonly DiffEntry[]
  /** Level of the two headings. */
  readonly heading: 'h2' | 'h3'
  /** The ways out. */
  readonly children: ReactNode
}

/** Somebody else saved first: their changes and yours, since the revision that both began with. */
export function TheirsAndMine({ theirs, mine, heading: Heading, children }: TheirsAndMineProps) {
  return (
    <div className="flex flex-col gap-4">
      <Status state="warn" className="whitespace-normal">
        Somebody else changed this after you opened it. Nothing of yours was saved.
      </Status>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
        <section className="flex flex-col gap-2">
          <Heading className="font-semibold">Their changes</Heading>
          {theirs === null ? <p className="text-muted">Loading</p> : <Diff entries={theirs} />}
        </section>
        <section className="flex flex-col gap-2">
          <Heading className="font-semibold">Your changes</Heading>
          <Diff entries={mine} />
        </section>
      </div>
      <div className="flex flex-wrap justify-end gap-2">{children}</div>
    </div>
  )
}
