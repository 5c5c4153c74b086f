import { useState } from 'react'
import { classes } from '../../../kit/classes.ts'
import { HiddenText } from '../../../kit/hidden-text.tsx'
import { TextInput } from '../../../kit/inputs.tsx'
import { Card } from '../../../kit/page.tsx'
import { Empty } from '../../../kit/states.tsx'
import type { Tool } from './connection.ts'

/** Tools that are drawn; the search finds the others. */
const SHOWN_MAX = 200

interface ToolsProps {
  readonly tools: readonly Tool[]
  readonly chosen: string | null
  readonly onChoose: (name: string) => void
}

export function Tools({ tools, chosen, onChoose }: ToolsProps) {
  const [text, setText] = useState('')
  const words = text.trim().toLowerCase()
  const found = tools.filter(({ name, title, description }) =>
    `${name} ${title} ${description}`.toLowerCase().includes(words),
  )
  return (
    <Card title="Tools">
      <div className="flex flex-col gap-2">
        {tools.length > 8 && (
          <TextInput
            type="search"
            aria-label="Search tools"
            placeholder="Search tools"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
        {found.length === 0 ? (
          <Empty title={tools.length === 0 ? 'No tools for this caller' : 'No tool fits'} />
        ) : (
          <ul aria-label="Tools" className="flex max-h-[40dvh] lg:max-h-[60dvh] flex-col overflow-auto">
            {found.slice(0, SHOWN_MAX).map(({ name, title }) => (
              <li key={name}>
                <button
                  type="button"
                  aria-current={name === chosen || undefined}
                  className={classes(
                    'flex min-h-8 w-full flex-col items-start justify-center rounded-md px-2 py-1 text-left',
                    name === chosen ? 'bg-accent-soft text-accent' : 'hover:bg-sunken',
                  )}
                  onClick={() => onChoose(name)}
                >
                  <code className="break-all">
                    <HiddenText text={name} />
                  </code>
                  {title !== '' && (
                    <span className="text-sm text-muted">
                      <HiddenText text={title} />
                    </span>
                  )}
                </button>
              </li>
            ))}
          </ul>
        )}
        {found.length > SHOWN_MAX && (
          <p className="text-sm text-muted">{`${found.length - SHOWN_MAX} more: search for them.`}</p>
        )}
      </div>
    </Card>
  )
}
