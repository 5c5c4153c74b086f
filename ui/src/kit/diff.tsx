import type { DiffEntry } from '../api/client.ts'
import { isObject, pointerOf } from '../schema/value.ts'
import { classes } from './classes.ts'

const WORDS = { add: 'added', remove: 'removed', replace: 'changed' } as const

function shown(value: unknown): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}

function Side({ sign, value, color }: { sign: string; value: unknown; color: string }) {
  return (
    <pre className={classes('overflow-auto px-2 py-1 whitespace-pre-wrap break-all', color)}>
      <span aria-hidden="true">{sign} </span>
      {shown(value)}
    </pre>
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
  const shownEntries = entries.flatMap(membersOf)
  if (entries.length === 0) return <p className="text-muted">Nothing changes.</p>
  return (
    <ul className="flex flex-col gap-2">
      {shownEntries.map(({ op, path, from, value, item }, index) => (
        <li key={`${path}${index}`} className="overflow-hidden rounded-md border border-line">
          <p className="flex flex-wrap items-baseline justify-between gap-2 bg-raised px-2 py-1 text-sm">
            <code className="break-all">{path === '' ? '/' : path}</code>
            <span className="text-muted">{item === undefined ? WORDS[op] : `${WORDS[op]} in ${item}`}</span>
          </p>
          {op !== 'add' && <Side sign="-" value={from} color="bg-bad-soft" />}
          {op !== 'remove' && <Side sign="+" value={value} color="bg-ok-soft" />}
        </li>
      ))}
    </ul>
  )
}
