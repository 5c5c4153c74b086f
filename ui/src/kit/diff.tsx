import { useMemo, useState } from 'react'
import type { DiffEntry } from '../api/client.ts'
import { isObject, pointerOf } from '../schema/value.ts'
import { Button } from './controls.tsx'
import { classes } from './style.ts'
import { HiddenNote, HiddenText } from './text.tsx'

/** Entries that are drawn at first: an import can have thousands. */
const FIRST = 100
/** The whole draft of a published resource. What is in it stands in the other entries once it is published. */
const DRAFT = '/pending_draft'
const WORDS = { add: 'added', remove: 'removed', replace: 'changed' } as const

function shown(value: unknown): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}

/** Whoever approves a change judges what is there, not what marks of direction make of it. */
function Side({ sign, value, color }: { sign: string; value: unknown; color: string }) {
  const text = shown(value)
  return (
    <div className={classes('px-2 py-1', color)}>
      <pre className="overflow-auto whitespace-pre-wrap break-all">
        <span aria-hidden="true">{sign} </span>
        <HiddenText text={text} />
      </pre>
      <HiddenNote text={text} />
    </div>
  )
}

/** A resource that is added or removed as a whole, member by member. */
function membersOf(entry: DiffEntry): readonly DiffEntry[] {
  const { op, path } = entry
  const whole = op === 'add' ? entry.value : op === 'remove' ? entry.from : undefined
  if (path !== '' || !isObject(whole)) return [entry]
  return Object.entries(whole).map(([name, value]) => {
    const own = { op, path: pointerOf([name]) }
    return op === 'add' ? { ...own, value } : { ...own, from: value }
  })
}

/** What a change does, entry by entry: the member, its value before and its value after. */
export function Diff({ entries }: { entries: readonly DiffEntry[] }) {
  const [isWhole, setWhole] = useState(false)
  const all = useMemo(() => entries.flatMap(membersOf), [entries])
  const shownEntries = isWhole ? all : all.slice(0, FIRST)
  if (entries.length === 0) return <p className="text-muted">No changes.</p>
  return (
    <div className="flex flex-col gap-2">
      <ul className="flex flex-col gap-2">
        {shownEntries.map(({ op, path, from, value, item }, index) => (
          <li key={`${path}${index}`} className="overflow-hidden rounded-md border border-line">
            <p className="flex flex-wrap items-baseline justify-between gap-2 bg-raised px-2 py-1 text-sm">
              <code className="break-all">{path === '' ? '/' : path}</code>
              <span className="text-muted">{item === undefined ? WORDS[op] : `${WORDS[op]} in ${item}`}</span>
            </p>
            {path === DRAFT && op === 'remove' ? (
              <p className="px-2 py-1">The draft is removed.</p>
            ) : (
              <>
                {op !== 'add' && <Side sign="-" value={from} color="bg-bad-soft" />}
                {op !== 'remove' && <Side sign="+" value={value} color="bg-ok-soft" />}
              </>
            )}
          </li>
        ))}
      </ul>
      {all.length > shownEntries.length && (
        <div>
          <Button isSmall onClick={() => setWhole(true)}>
            Show all {all.length.toLocaleString('en')} changes
          </Button>
        </div>
      )}
    </div>
  )
}
