import type { DiffEntry } from '../../api/client.ts'
import { Diff } from '../../kit/diff.tsx'
import { type State, Status } from '../../kit/status.tsx'

/** What happens to one resource. */
export interface ChangedItem {
  /** Such as `proxies/orders:get-order`. */
  readonly item: string
  readonly action: keyof typeof WORDS
  readonly diff: readonly DiffEntry[]
  /** Further facts, such as who manages the resource now. */
  readonly note?: string
}

const WORDS: Readonly<
  Record<
    'created' | 'create' | 'changed' | 'update' | 'adopt' | 'removed' | 'remove',
    { state: State; word: string }
  >
> = {
  created: { state: 'ok', word: 'added' },
  create: { state: 'ok', word: 'add' },
  changed: { state: 'changed', word: 'changed' },
  update: { state: 'changed', word: 'change' },
  adopt: { state: 'pending', word: 'adopt' },
  removed: { state: 'bad', word: 'removed' },
  remove: { state: 'bad', word: 'remove' },
}
/** More items than this start closed. */
const OPEN_MAX = 10
/** Items that are drawn; a set of documents can have thousands. */
const DRAWN_MAX = 500

/** Resources that change, each with its difference. */
export function ChangedItems({ items }: { items: readonly ChangedItem[] }) {
  if (items.length === 0) return <p className="text-muted">No differences.</p>
  return (
    <div className="flex flex-col gap-2">
      {items.slice(0, DRAWN_MAX).map(({ item, action, diff, note }) => (
        <details
          key={item + action}
          open={items.length <= OPEN_MAX}
          className="overflow-hidden rounded-md border border-line"
        >
          <summary className="flex flex-wrap items-baseline gap-x-3 bg-raised px-3 py-1.5">
            <Status state={WORDS[action].state}>{WORDS[action].word}</Status>
            <code className="min-w-0 break-all">{item}</code>
            {note !== undefined && <span className="text-sm text-muted">{note}</span>}
          </summary>
          <div className="p-2">
            <Diff entries={diff} />
          </div>
        </details>
      ))}
      {items.length > DRAWN_MAX && <p className="text-muted">And {items.length - DRAWN_MAX} more.</p>}
    </div>
  )
}
