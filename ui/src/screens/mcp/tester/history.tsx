import { classes } from '../../../kit/classes.ts'
import { Card } from '../../../kit/page.tsx'
import { Status } from '../../../kit/status.tsx'
import { Time } from '../../../kit/time.tsx'
import { type Entry, labelOfMessage, wordOf } from './entry.ts'

interface HistoryProps {
  readonly entries: readonly Entry[]
  readonly shown: number | null
  readonly onShow: (id: number) => void
}

export function History({ entries, shown, onShow }: HistoryProps) {
  return (
    <Card title="History">
      <ul aria-label="History" className="flex flex-col">
        {entries.map((entry) => {
          const { state, word } = wordOf(entry)
          return (
            <li key={entry.id}>
              <button
                type="button"
                aria-current={entry.id === shown || undefined}
                className={classes(
                  'flex min-h-8 w-full flex-wrap items-baseline gap-x-3 rounded-md px-2 py-1 text-left',
                  entry.id === shown ? 'bg-accent-soft' : 'hover:bg-sunken',
                )}
                onClick={() => onShow(entry.id)}
              >
                <Time value={new Date(entry.at).toISOString()} />
                <code className="min-w-0 break-all">{labelOfMessage(entry.message)}</code>
                <Status state={state}>{word}</Status>
                {entry.ms !== null && (
                  <span className="ml-auto text-sm text-muted tabular-nums">
                    {entry.ms.toLocaleString('en')} ms
                  </span>
                )}
              </button>
            </li>
          )
        })}
      </ul>
    </Card>
  )
}
